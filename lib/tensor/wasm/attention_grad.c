/* Gradients of attention.c, head by head. */

INLINE float row_dot(int w, const float *x, const float *y) {
  v128_t products = wasm_f32x4_const_splat(0);
  int c = 0;
  for (; c + 4 <= w; c += 4) products = wasm_f32x4_add(products, wasm_f32x4_mul(wasm_v128_load(x + c), wasm_v128_load(y + c)));
  float dot = horizontal_sum(products);
  for (; c < w; c++) dot += x[c] * y[c];
  return dot;
}

/* From a row's probabilities the gradient of its scores: p (dp - sum_j p dp) scale. */
static NOINLINE void score_grad_row(float *p, float *dp, int n, int w, float scale, float log_sum_exp, const float *dcontext,
                                    const float *context) {
  if (log_sum_exp < MASKED * 0.5f) { /* every key masked: a plain mean of the values, and the scores do not matter */
    for (int j = 0; j < n; j++) p[j] = 1 / (float)n, dp[j] = 0;
    return;
  }
  const v128_t d4 = wasm_f32x4_splat(row_dot(w, dcontext, context)), f = wasm_f32x4_splat(scale);
  for (int j = 0; j < n; j += 4) {
    const v128_t g = wasm_f32x4_mul(wasm_v128_load(p + j), wasm_f32x4_sub(wasm_v128_load(dp + j), d4));
    wasm_v128_store(dp + j, wasm_f32x4_mul(g, f));
  }
}

/* y = factor x. */
static NOINLINE void scaled_row(int n, const float *x, float factor, float *y) {
  int j = 0;
  for (; j + 4 <= n; j += 4) wasm_v128_store(y + j, wasm_f32x4_mul(wasm_v128_load(x + j), wasm_f32x4_splat(factor)));
  for (; j < n; j++) y[j] = x[j] * factor;
}

/* dp = e (dp - dot). */
static NOINLINE void exp_grad_row(int n, const float *e, float dot, float *dp) {
  const v128_t d = wasm_f32x4_splat(dot);
  for (int j = 0; j < n; j += 4) {
    wasm_v128_store(dp + j, wasm_f32x4_mul(wasm_v128_load(e + j), wasm_f32x4_sub(wasm_v128_load(dp + j), d)));
  }
}

/* Where a head's gradients go: rows of dq stand as those of q. */
typedef struct {
  const float *dc, *c, *log_sums;
  float *dq, *dk, *dv;
} HeadGrads;

/*
 * All three gradients by a library, or 0. Probabilities are not made: the reciprocals of their sums are in `scaled`, the context's
 * gradients [rows, w], with which all that follows is multiplied.
 */
static int head_grads_by_library(const Head *head, const HeadGrads *to, float *e, float *de, float *scaled, float *factors) {
  const int rows = head->rows, keys = head->keys, line = head->line, w = head->w;
  if (!exp_scores(head, e)) return 0;
  for (int i = 0; i < rows; i += 4) {
    const int left = min_int(4, rows - i);
    store_four(factors + i, exp4(wasm_f32x4_neg(load_four(to->log_sums + i, left))), left);
  }
  for (int i = 0; i < rows; i++) scaled_row(w, to->dc + i * head->apart, factors[i], scaled + i * w);
  blas_sgemm(0, 1, rows, keys, w, 1, scaled, w, head->v, head->width, de, line);
  for (int i = 0; i < rows; i++) {
    exp_grad_row(keys, e + i * line, row_dot(w, scaled + i * w, to->c + i * head->apart), de + i * line);
  }
  blas_sgemm(1, 0, keys, w, rows, 1, e, line, scaled, w, to->dv, head->width);
  blas_sgemm(0, 0, rows, w, keys, head->scale, de, line, head->k, head->width, to->dq, head->apart);
  blas_sgemm(1, 0, keys, w, rows, head->scale, de, line, head->q, head->apart, to->dk, head->width);
  return 1;
}

/* Rows of a head, which stand `width` apart, one after the other. */
static void gather_head(int rows, int w, int width, const int *places, const float *x, float *gathered) {
  for (int i = 0; i < rows; i++) copy_words(w, x + places[i] * width, gathered + i * w);
}

/*
 * Gradients of attention, of the same heads. Queries whose context has a gradient of zeros are left out. Scratch: attention_grad_scratch.
 */
EXPORT(attention_grad_scratch) int attention_grad_scratch(int m, int n, int w) {
  return attention_scratch(m * (2 * line_of(n) + 4 * w + 3));
}
EXPORT(attention_grad)
void attention_grad(int m, int n, int width, int heads, float scale, int causal, const float *dcontext,
                    const float *query, const float *key, const float *value, const float *context,
                    const float *log_sum_exp, const u32 *keep, float *dquery, float *dkey, float *dvalue, int first,
                    int count, float *scratch) {
  const int w = width / heads, most = m * line_of(n);
  float *const p = whole_line(scratch + SCRATCH), *const dp = p + most, *const own_q = dp + most, *const own_dc = own_q + m * w,
              *const own_c = own_dc + m * w, *const own_dq = own_c + m * w, *const own_sums = own_dq + m * w,
              *const factors = own_sums + m;
  int *const places = (int *)(factors + m);
  for (int head = first; head < first + count; head++) {
    const int b = head / heads, h = head % heads, qo = b * m * width + h * w, ko = b * n * width + h * w;
    const float *q = query + qo, *k = key + ko, *v = value + ko, *dc = dcontext + qo, *co = context + qo;
    const float *sums = log_sum_exp + head * m;
    const u32 *const kept = keep ? keep + b * n : 0;
    const int keys = keys_read(n, kept, causal), line = line_of(keys);
    float *dq = dquery + qo;
    int rows = m, apart = width;
    if (!causal) {
      rows = 0;
      for (int i = 0; i < m; i++) {
        if (!is_zeros(w, dc + i * width)) places[rows++] = i;
      }
    }
    const int is_part = rows < m;
    if (is_part) {
      gather_head(rows, w, width, places, q, own_q);
      gather_head(rows, w, width, places, dc, own_dc);
      gather_head(rows, w, width, places, co, own_c);
      for (int i = 0; i < rows; i++) own_sums[i] = sums[places[i]];
      q = own_q, dc = own_dc, co = own_c, dq = own_dq, sums = own_sums, apart = w;
    }
    Head whole = { rows, keys, line, w, apart, width, scale, q, k, v };
    const HeadGrads grads = { dc, co, sums, dq, dkey + ko, dvalue + ko };
    if (!is_head_by_library(&whole, causal, kept) || !head_grads_by_library(&whole, &grads, p, dp, own_dc, factors)) {
      product(rows, keys, w, q, apart, 1, k, 1, width, p, line, scratch);
      product(rows, keys, w, dc, apart, 1, v, 1, width, dp, line, scratch);
      exp_rows(p, rows, keys, scale, kept, causal, 0, sums);
      for (int i = 0; i < rows; i++) {
        score_grad_row(p + i * line, dp + i * line, keys, w, scale, sums[i], dc + i * apart, co + i * apart);
      }
      product(keys, w, rows, p, 1, line, dc, apart, 1, dvalue + ko, width, scratch);
      product(rows, w, keys, dp, line, 1, k, width, 1, dq, apart, scratch);
      product(keys, w, rows, dp, 1, line, q, apart, 1, dkey + ko, width, scratch);
    }
    fill_rows(n - keys, w, dvalue + ko + keys * width, width, 0);
    fill_rows(n - keys, w, dkey + ko + keys * width, width, 0);
    if (is_part) {
      fill_rows(m, w, dquery + qo, width, 0);
      for (int i = 0; i < rows; i++) copy_words(w, dq + i * w, dquery + qo + places[i] * width);
    }
  }
}
