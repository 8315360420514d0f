/* Layer normalisation over the last dimension: y = (x - mean) rstd gain + bias, biased variance. */

INLINE float row_mean(const float *x, int d) {
  v128_t s0 = wasm_f32x4_const_splat(0), s1 = s0;
  int j = 0;
  for (; j + 8 <= d; j += 8) {
    s0 = wasm_f32x4_add(s0, wasm_v128_load(x + j));
    s1 = wasm_f32x4_add(s1, wasm_v128_load(x + j + 4));
  }
  float sum = horizontal_sum(wasm_f32x4_add(s0, s1));
  for (; j < d; j++) sum += x[j];
  return sum / (float)d;
}

INLINE float row_variance(const float *x, int d, float mean) {
  v128_t s0 = wasm_f32x4_const_splat(0), s1 = s0;
  const v128_t m = wasm_f32x4_splat(mean);
  int j = 0;
  for (; j + 8 <= d; j += 8) {
    const v128_t a = wasm_f32x4_sub(wasm_v128_load(x + j), m), b = wasm_f32x4_sub(wasm_v128_load(x + j + 4), m);
    s0 = MADD(a, a, s0);
    s1 = MADD(b, b, s1);
  }
  float sum = horizontal_sum(wasm_f32x4_add(s0, s1));
  for (; j < d; j++) sum += (x[j] - mean) * (x[j] - mean);
  return sum / (float)d;
}

static NOINLINE void layer_norm_row(int d, const float *x, const float *gain, const float *bias, float epsilon, float *y,
                                    float *mean, float *rstd) {
  const float mu = row_mean(x, d), r = 1 / __builtin_sqrtf(row_variance(x, d, mu) + epsilon);
  const v128_t m4 = wasm_f32x4_splat(mu), r4 = wasm_f32x4_splat(r);
  int j = 0;
  for (; j + 4 <= d; j += 4) {
    const v128_t normal = wasm_f32x4_mul(wasm_f32x4_sub(wasm_v128_load(x + j), m4), r4);
    wasm_v128_store(y + j, MADD(normal, wasm_v128_load(gain + j), wasm_v128_load(bias + j)));
  }
  for (; j < d; j++) y[j] = (x[j] - mu) * r * gain[j] + bias[j];
  *mean = mu;
  *rstd = r;
}
EXPORT(layer_norm)
void layer_norm(int d, const float *x, const float *gain, const float *bias, float epsilon, float *y, float *mean,
                float *rstd, int first, int rows) {
  for (int i = first; i < first + rows; i++) {
    layer_norm_row(d, x + i * d, gain, bias, epsilon, y + i * d, mean + i, rstd + i);
  }
}

/* dx = rstd (g - mean(g) - n mean(g n)), with g = dy gain and n the normalised x. */
static NOINLINE void layer_norm_grad_row(int d, const float *dy, const float *x, const float *gain, float mean,
                                         float rstd, float *dx) {
  const v128_t m4 = wasm_f32x4_splat(mean);
  v128_t s0 = wasm_f32x4_const_splat(0), s1 = s0;
  int j = 0;
  for (; j + 4 <= d; j += 4) {
    const v128_t g = wasm_f32x4_mul(wasm_v128_load(dy + j), wasm_v128_load(gain + j));
    s0 = wasm_f32x4_add(s0, g);
    s1 = MADD(g, wasm_f32x4_sub(wasm_v128_load(x + j), m4), s1);
  }
  float sum = horizontal_sum(s0), dot = horizontal_sum(s1);
  for (; j < d; j++) {
    sum += dy[j] * gain[j];
    dot += dy[j] * gain[j] * (x[j] - mean);
  }
  const float a = sum / (float)d, b = dot * rstd * rstd / (float)d;
  const v128_t a4 = wasm_f32x4_splat(a), b4 = wasm_f32x4_splat(b), r4 = wasm_f32x4_splat(rstd);
  for (j = 0; j + 4 <= d; j += 4) {
    const v128_t g = wasm_f32x4_mul(wasm_v128_load(dy + j), wasm_v128_load(gain + j));
    const v128_t n = wasm_f32x4_mul(wasm_f32x4_sub(wasm_v128_load(x + j), m4), b4);
    wasm_v128_store(dx + j, wasm_f32x4_mul(r4, wasm_f32x4_sub(wasm_f32x4_sub(g, a4), n)));
  }
  for (; j < d; j++) dx[j] = rstd * (dy[j] * gain[j] - a - (x[j] - mean) * b);
}
EXPORT(layer_norm_grad_x)
void layer_norm_grad_x(int d, const float *dy, const float *x, const float *gain, const float *mean, const float *rstd,
                       float *dx, int first, int rows) {
  for (int i = first; i < first + rows; i++) {
    layer_norm_grad_row(d, dy + i * d, x + i * d, gain, mean[i], rstd[i], dx + i * d);
  }
}

static NOINLINE void add_param_grads(int d, const float *dy, const float *x, float mean, float rstd, float *dgain,
                                     float *dbias) {
  for (int j = 0; j < d; j++) {
    dgain[j] += dy[j] * (x[j] - mean) * rstd;
    dbias[j] += dy[j];
  }
}
EXPORT(layer_norm_grad_params)
void layer_norm_grad_params(int rows, int d, const float *dy, const float *x, const float *mean, const float *rstd,
                            float *dgain, float *dbias) {
  fill_rows(1, d, dgain, 0, 0);
  fill_rows(1, d, dbias, 0, 0);
  for (int i = 0; i < rows; i++) add_param_grads(d, dy + i * d, x + i * d, mean[i], rstd[i], dgain, dbias);
}
