/*
 * Layer normalisation over the last dimension: y = (x - mean) rstd gain + bias, biased variance. Several rows at a time, each by sums of
 * its own, as those of one row wait for one another.
 */
#define NORM_ROWS 4
#define GRAD_ROWS 2 /* of which more would not fit the registers */
#define EACH_ROW _Pragma("clang loop unroll(full)") for (int r = 0; r < rows; r++)

/* As many rows as the caller's constant says. */
INLINE void layer_norm_rows(const int rows, int d, const float *x, const float *gain, const float *bias, float epsilon, float *y,
                            float *mean, float *rstd) {
  v128_t s0[NORM_ROWS], s1[NORM_ROWS], m4[NORM_ROWS], r4[NORM_ROWS];
  int j = 0;
  EACH_ROW s0[r] = s1[r] = wasm_f32x4_const_splat(0);
  for (; j + 8 <= d; j += 8) {
    EACH_ROW {
      s0[r] = wasm_f32x4_add(s0[r], wasm_v128_load(x + r * d + j));
      s1[r] = wasm_f32x4_add(s1[r], wasm_v128_load(x + r * d + j + 4));
    }
  }
  EACH_ROW {
    float sum = horizontal_sum(wasm_f32x4_add(s0[r], s1[r]));
    for (int i = j; i < d; i++) sum += x[r * d + i];
    m4[r] = wasm_f32x4_splat(mean[r] = sum / (float)d);
    s0[r] = s1[r] = wasm_f32x4_const_splat(0);
  }
  for (j = 0; j + 8 <= d; j += 8) {
    EACH_ROW {
      const v128_t a = wasm_f32x4_sub(wasm_v128_load(x + r * d + j), m4[r]);
      const v128_t b = wasm_f32x4_sub(wasm_v128_load(x + r * d + j + 4), m4[r]);
      s0[r] = MADD(a, a, s0[r]);
      s1[r] = MADD(b, b, s1[r]);
    }
  }
  EACH_ROW {
    float sum = horizontal_sum(wasm_f32x4_add(s0[r], s1[r]));
    for (int i = j; i < d; i++) sum += (x[r * d + i] - mean[r]) * (x[r * d + i] - mean[r]);
    r4[r] = wasm_f32x4_splat(rstd[r] = 1 / __builtin_sqrtf(sum / (float)d + epsilon));
  }
  for (j = 0; j + 4 <= d; j += 4) {
    const v128_t g = wasm_v128_load(gain + j), b = wasm_v128_load(bias + j);
    EACH_ROW {
      const v128_t normal = wasm_f32x4_mul(wasm_f32x4_sub(wasm_v128_load(x + r * d + j), m4[r]), r4[r]);
      wasm_v128_store(y + r * d + j, MADD(normal, g, b));
    }
  }
  for (; j < d; j++) {
    EACH_ROW y[r * d + j] = (x[r * d + j] - mean[r]) * rstd[r] * gain[j] + bias[j];
  }
}
static NOINLINE void layer_norm_four(int d, const float *x, const float *gain, const float *bias, float epsilon, float *y, float *mean,
                                     float *rstd) {
  layer_norm_rows(NORM_ROWS, d, x, gain, bias, epsilon, y, mean, rstd);
}
static NOINLINE void layer_norm_one(int d, const float *x, const float *gain, const float *bias, float epsilon, float *y, float *mean,
                                    float *rstd) {
  layer_norm_rows(1, d, x, gain, bias, epsilon, y, mean, rstd);
}
EXPORT(layer_norm)
void layer_norm(int d, const float *x, const float *gain, const float *bias, float epsilon, float *y, float *mean,
                float *rstd, int first, int rows) {
  int i = first;
  for (; i + NORM_ROWS <= first + rows; i += NORM_ROWS) {
    layer_norm_four(d, x + i * d, gain, bias, epsilon, y + i * d, mean + i, rstd + i);
  }
  for (; i < first + rows; i++) layer_norm_one(d, x + i * d, gain, bias, epsilon, y + i * d, mean + i, rstd + i);
}

/* dx = rstd (g - mean(g) - n mean(g n)) + addend, with g = dy gain and n the normalised x; addend may be null. Rows likewise. */
INLINE void layer_norm_grad_rows(const int rows, int d, const float *dy, const float *x, const float *gain, const float *mean,
                                 const float *rstd, const float *addend, float *dx) {
  v128_t m4[GRAD_ROWS], s0[GRAD_ROWS], s1[GRAD_ROWS], a4[GRAD_ROWS], b4[GRAD_ROWS], r4[GRAD_ROWS];
  float a[GRAD_ROWS], b[GRAD_ROWS];
  int j = 0;
  EACH_ROW {
    m4[r] = wasm_f32x4_splat(mean[r]);
    s0[r] = s1[r] = wasm_f32x4_const_splat(0);
  }
  for (; j + 4 <= d; j += 4) {
    const v128_t gain4 = wasm_v128_load(gain + j);
    EACH_ROW {
      const v128_t g = wasm_f32x4_mul(wasm_v128_load(dy + r * d + j), gain4);
      s0[r] = wasm_f32x4_add(s0[r], g);
      s1[r] = MADD(g, wasm_f32x4_sub(wasm_v128_load(x + r * d + j), m4[r]), s1[r]);
    }
  }
  EACH_ROW {
    float sum = horizontal_sum(s0[r]), dot = horizontal_sum(s1[r]);
    for (int i = j; i < d; i++) {
      sum += dy[r * d + i] * gain[i];
      dot += dy[r * d + i] * gain[i] * (x[r * d + i] - mean[r]);
    }
    a4[r] = wasm_f32x4_splat(a[r] = sum / (float)d);
    b4[r] = wasm_f32x4_splat(b[r] = dot * rstd[r] * rstd[r] / (float)d);
    r4[r] = wasm_f32x4_splat(rstd[r]);
  }
  for (j = 0; j + 4 <= d; j += 4) {
    const v128_t gain4 = wasm_v128_load(gain + j);
    EACH_ROW {
      const v128_t g = wasm_f32x4_mul(wasm_v128_load(dy + r * d + j), gain4);
      const v128_t n = wasm_f32x4_mul(wasm_f32x4_sub(wasm_v128_load(x + r * d + j), m4[r]), b4[r]);
      const v128_t v = wasm_f32x4_mul(r4[r], wasm_f32x4_sub(wasm_f32x4_sub(g, a4[r]), n));
      wasm_v128_store(dx + r * d + j, addend ? wasm_f32x4_add(v, wasm_v128_load(addend + r * d + j)) : v);
    }
  }
  for (; j < d; j++) {
    EACH_ROW {
      const float v = rstd[r] * (dy[r * d + j] * gain[j] - a[r] - (x[r * d + j] - mean[r]) * b[r]);
      dx[r * d + j] = addend ? v + addend[r * d + j] : v;
    }
  }
}
static NOINLINE void layer_norm_grad_two(int d, const float *dy, const float *x, const float *gain, const float *mean,
                                          const float *rstd, const float *addend, float *dx) {
  layer_norm_grad_rows(GRAD_ROWS, d, dy, x, gain, mean, rstd, addend, dx);
}
static NOINLINE void layer_norm_grad_one(int d, const float *dy, const float *x, const float *gain, const float *mean,
                                         const float *rstd, const float *addend, float *dx) {
  layer_norm_grad_rows(1, d, dy, x, gain, mean, rstd, addend, dx);
}
EXPORT(layer_norm_grad_x)
void layer_norm_grad_x(int d, const float *dy, const float *x, const float *gain, const float *mean, const float *rstd,
                       const float *addend, float *dx, int first, int rows) {
  int i = first;
  for (; i + GRAD_ROWS <= first + rows; i += GRAD_ROWS) {
    layer_norm_grad_two(d, dy + i * d, x + i * d, gain, mean + i, rstd + i, addend ? addend + i * d : 0, dx + i * d);
  }
  for (; i < first + rows; i++) {
    layer_norm_grad_one(d, dy + i * d, x + i * d, gain, mean + i, rstd + i, addend ? addend + i * d : 0, dx + i * d);
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
