/*
 * Multi-head attention: softmax(scale Q K' with masked keys at -1e9) V. Heads are consecutive slices of the columns, read
 * in place. The probabilities of one head of one sample at a time stand in scratch and stay in the cache.
 */
#define MASKED -1e9f

/*
 * Turns a row of products into scores, and returns their greatest. A key is seen if keep[j] (all bits or none; null: all)
 * and j < limit (causal).
 */
INLINE float mask_row(float *s, int n, float scale, const u32 *keep, int limit) {
  const v128_t f = wasm_f32x4_splat(scale), masked = wasm_f32x4_const_splat(MASKED);
  v128_t top = wasm_f32x4_const_splat(-3e38f);
  int j = 0;
  for (; j + 4 <= limit; j += 4) {
    v128_t v = wasm_f32x4_mul(wasm_v128_load(s + j), f);
    if (keep) v = wasm_v128_bitselect(v, masked, wasm_v128_load(keep + j));
    wasm_v128_store(s + j, v);
    top = wasm_f32x4_pmax(top, v);
  }
  float greatest = horizontal_max(top);
  for (; j < n; j++) {
    s[j] = j < limit && (!keep || keep[j]) ? s[j] * scale : MASKED;
    greatest = greatest > s[j] ? greatest : s[j];
  }
  return greatest;
}

/* s[j] = e^(s[j] - shift); returns the sum. */
INLINE float exp_row(float *s, int n, float shift) {
  const v128_t m = wasm_f32x4_splat(shift);
  v128_t sum = wasm_f32x4_const_splat(0);
  int j = 0;
  for (; j + 4 <= n; j += 4) {
    const v128_t e = exp4(wasm_f32x4_sub(wasm_v128_load(s + j), m));
    wasm_v128_store(s + j, e);
    sum = wasm_f32x4_add(sum, e);
  }
  float total = horizontal_sum(sum);
  if (j < n) {
    store_some(s + j, exp4(wasm_f32x4_sub(load_some(s + j, n - j), m)), n - j);
    for (; j < n; j++) total += s[j];
  }
  return total;
}

INLINE void scale_row(float *s, int n, float factor) {
  int j = 0;
  for (; j + 4 <= n; j += 4) wasm_v128_store(s + j, wasm_f32x4_mul(wasm_v128_load(s + j), wasm_f32x4_splat(factor)));
  for (; j < n; j++) s[j] *= factor;
}

/* Softmax of one row in place; returns the log of the sum of exponentials. */
static NOINLINE float softmax_row(float *s, int n, float scale, const u32 *keep, int limit) {
  const float top = mask_row(s, n, scale, keep, limit), sum = exp_row(s, n, top);
  scale_row(s, n, 1 / sum);
  return top + (float)log1(sum);
}

/*
 * The same with the exponentials of many rows at once by a library (blas.ts): numbers are shifted, then e^x, then summed. It is slow
 * where the result is 0 or nearly, so no number is less than LOWEST; what was is 0 afterwards.
 */
__attribute__((import_module("blas"), import_name("exp"))) void blas_exp(int n, float *x);
static int exp_on __attribute__((address_space(1)));
EXPORT(use_exp) void use_exp(int on) { exp_on = on; }
#define LEAST_EXPS 1024 /* as many numbers are worth a call */
#define LOWEST -87.3f
#define LEAST_EXP 1.25e-38f /* e^LOWEST is 1.22e-38 */

INLINE v128_t score4(const float *s, v128_t scale, const u32 *keep) {
  const v128_t v = wasm_f32x4_mul(wasm_v128_load(s), scale);
  return keep ? wasm_v128_bitselect(v, wasm_f32x4_const_splat(MASKED), wasm_v128_load(keep)) : v;
}
INLINE float score(const float *s, int j, float scale, const u32 *keep, int limit) {
  return j < limit && (!keep || keep[j]) ? s[j] * scale : MASKED;
}

static NOINLINE float top_score(const float *s, int n, float scale, const u32 *keep, int limit) {
  const v128_t f = wasm_f32x4_splat(scale);
  v128_t a = wasm_f32x4_const_splat(-3e38f), b = a;
  int j = 0;
  for (; j + 8 <= limit; j += 8) {
    a = wasm_f32x4_pmax(a, score4(s + j, f, keep ? keep + j : 0));
    b = wasm_f32x4_pmax(b, score4(s + j + 4, f, keep ? keep + j + 4 : 0));
  }
  float greatest = horizontal_max(wasm_f32x4_pmax(a, b));
  for (; j < n; j++) {
    const float v = score(s, j, scale, keep, limit);
    greatest = greatest > v ? greatest : v;
  }
  return greatest;
}

/* s[j] = score - shift, at least LOWEST. Returns whether some was less. */
static NOINLINE int shift_scores(float *s, int n, float scale, const u32 *keep, int limit, float shift) {
  const v128_t f = wasm_f32x4_splat(scale), m = wasm_f32x4_splat(shift), lowest = wasm_f32x4_const_splat(LOWEST);
  v128_t least = wasm_f32x4_const_splat(0);
  int j = 0;
  for (; j + 4 <= limit; j += 4) {
    const v128_t v = wasm_f32x4_sub(score4(s + j, f, keep ? keep + j : 0), m);
    least = wasm_f32x4_pmin(least, v);
    wasm_v128_store(s + j, wasm_f32x4_pmax(v, lowest));
  }
  int is_low = wasm_v128_any_true(wasm_f32x4_lt(least, lowest));
  for (; j < n; j++) {
    const float v = score(s, j, scale, keep, limit) - shift;
    is_low |= v < LOWEST;
    s[j] = v < LOWEST ? LOWEST : v;
  }
  return is_low;
}

/* After the library: 0 where a number was less than LOWEST. */
static NOINLINE void clear_lowest(float *s, int n) {
  int j = 0;
  for (; j + 4 <= n; j += 4) {
    const v128_t e = wasm_v128_load(s + j); /* not "greater": NaN stays NaN */
    wasm_v128_store(s + j, wasm_v128_andnot(e, wasm_f32x4_le(e, wasm_f32x4_const_splat(LEAST_EXP))));
  }
  for (; j < n; j++) s[j] = s[j] <= LEAST_EXP ? 0 : s[j];
}
static NOINLINE float sum_row(const float *s, int n) {
  v128_t a = wasm_f32x4_const_splat(0), b = a;
  int j = 0;
  for (; j + 8 <= n; j += 8) {
    a = wasm_f32x4_add(a, wasm_v128_load(s + j));
    b = wasm_f32x4_add(b, wasm_v128_load(s + j + 4));
  }
  float total = horizontal_sum(wasm_f32x4_add(a, b));
  for (; j < n; j++) total += s[j];
  return total;
}

INLINE int causal_limit(int causal, int i, int n) { return causal ? min_int(i + 1, n) : n; }

/* The first cache line from here: a library's last bits could depend on where in a line a thread's scratch begins. */
INLINE float *whole_line(float *p) { return (float *)(((u32)p + 63) & ~63u); }
#define LINE 16 /* floats */
EXPORT(attention_scratch) int attention_scratch(int floats) { return 4 * (SCRATCH + LINE + floats); }

/*
 * query [batch, m, width], key and value [batch, n, width], keep [batch, n] (0 or all bits) or null -> context
 * [batch, m, width], log_sum_exp [batch, heads, m]. `count` heads are computed from `first` on, all samples' heads in a
 * row. Scratch: attention_scratch of `block` rows of n + 1 floats.
 */
EXPORT(attention)
void attention(int m, int n, int width, int heads, float scale, int causal, const float *query, const float *key,
               const float *value, const u32 *keep, float *context, float *log_sum_exp, int block, int first,
               int count, float *scratch) {
  const int w = width / heads;
  float *const scores = whole_line(scratch + SCRATCH);
  for (int head = first; head < first + count; head++) {
    const int b = head / heads, h = head % heads;
    const float *k = key + b * n * width + h * w, *v = value + b * n * width + h * w;
    for (int i0 = 0; i0 < m; i0 += block) {
      const int rows = min_int(block, m - i0), start = (b * m + i0) * width + h * w;
      product(rows, n, w, query + start, width, 1, k, 1, width, scores, n, scratch);
      const u32 *kept = keep ? keep + b * n : 0;
      float *const sums = log_sum_exp + head * m + i0;
      if (exp_on && rows * n >= LEAST_EXPS) {
        float *const factors = scores + rows * n;
        int is_low = 0;
        for (int i = 0; i < rows; i++) {
          const int limit = causal_limit(causal, i0 + i, n);
          sums[i] = top_score(scores + i * n, n, scale, kept, limit);
          is_low |= shift_scores(scores + i * n, n, scale, kept, limit, sums[i]);
        }
        blas_exp(rows * n, scores);
        if (is_low) clear_lowest(scores, rows * n);
        for (int i = 0; i < rows; i++) {
          const float sum = sum_row(scores + i * n, n);
          factors[i] = 1 / sum;
          sums[i] += (float)log1(sum);
        }
        product(rows, w, n, scores, n, 1, v, width, 1, context + start, width, scratch);
        for (int i = 0; i < rows; i++) scale_row(context + start + i * width, w, factors[i]);
        continue;
      }
      for (int i = 0; i < rows; i++) {
        sums[i] = softmax_row(scores + i * n, n, scale, kept, causal_limit(causal, i0 + i, n));
      }
      product(rows, w, n, scores, n, 1, v, width, 1, context + start, width, scratch);
    }
  }
}

/* Probabilities again from the products, and the gradient of the scores: p (dp - sum_j p dp) scale. */
static NOINLINE void score_grad_row(float *p, float *dp, int n, int w, float scale, const u32 *keep, int limit,
                                    float log_sum_exp, const float *dcontext, const float *context) {
  if (log_sum_exp < MASKED * 0.5f) { /* every key masked: a plain mean of the values, and the scores do not matter */
    for (int j = 0; j < n; j++) p[j] = 1 / (float)n, dp[j] = 0;
    return;
  }
  mask_row(p, n, scale, keep, limit);
  exp_row(p, n, log_sum_exp);
  float dot = 0;
  for (int c = 0; c < w; c++) dot += dcontext[c] * context[c];
  const v128_t d4 = wasm_f32x4_splat(dot), f = wasm_f32x4_splat(scale);
  int j = 0;
  for (; j + 4 <= n; j += 4) {
    const v128_t g = wasm_f32x4_mul(wasm_v128_load(p + j), wasm_f32x4_sub(wasm_v128_load(dp + j), d4));
    wasm_v128_store(dp + j, wasm_f32x4_mul(g, f));
  }
  for (; j < n; j++) dp[j] = p[j] * (dp[j] - dot) * scale;
}

/* The same after the library's exponentials. */
static NOINLINE void exp_grad_row(float *p, float *dp, int n, int w, float scale, float log_sum_exp, const float *dcontext,
                              const float *context) {
  if (log_sum_exp < MASKED * 0.5f) {
    for (int j = 0; j < n; j++) p[j] = 1 / (float)n, dp[j] = 0;
    return;
  }
  v128_t products = wasm_f32x4_const_splat(0);
  int j = 0;
  for (; j + 4 <= w; j += 4) {
    products = wasm_f32x4_add(products, wasm_f32x4_mul(wasm_v128_load(dcontext + j), wasm_v128_load(context + j)));
  }
  float dot = horizontal_sum(products);
  for (; j < w; j++) dot += dcontext[j] * context[j];
  const v128_t d4 = wasm_f32x4_splat(dot), f = wasm_f32x4_splat(scale);
  for (j = 0; j + 4 <= n; j += 4) {
    wasm_v128_store(dp + j, wasm_f32x4_mul(wasm_f32x4_mul(wasm_v128_load(p + j), wasm_f32x4_sub(wasm_v128_load(dp + j), d4)), f));
  }
  for (; j < n; j++) dp[j] = p[j] * (dp[j] - dot) * scale;
}

/* Gradients of attention, of the same heads. Scratch: attention_scratch of twice m x n floats. */
EXPORT(attention_grad)
void attention_grad(int m, int n, int width, int heads, float scale, int causal, const float *dcontext,
                    const float *query, const float *key, const float *value, const float *context,
                    const float *log_sum_exp, const u32 *keep, float *dquery, float *dkey, float *dvalue, int first,
                    int count, float *scratch) {
  const int w = width / heads;
  float *const p = whole_line(scratch + SCRATCH), *const dp = p + m * n;
  for (int head = first; head < first + count; head++) {
    const int b = head / heads, h = head % heads, qo = b * m * width + h * w, ko = b * n * width + h * w;
    const float *q = query + qo, *k = key + ko, *v = value + ko, *dc = dcontext + qo, *co = context + qo;
    product(m, n, w, q, width, 1, k, 1, width, p, n, scratch);
    product(m, n, w, dc, width, 1, v, 1, width, dp, n, scratch);
    const u32 *kept = keep ? keep + b * n : 0;
    const float *const sums = log_sum_exp + head * m;
    const int by_library = exp_on && m * n >= LEAST_EXPS;
    if (by_library) {
      int is_low = 0;
      for (int i = 0; i < m; i++) {
        is_low |= shift_scores(p + i * n, n, scale, kept, causal_limit(causal, i, n), sums[i]);
      }
      blas_exp(m * n, p);
      if (is_low) clear_lowest(p, m * n);
    }
    for (int i = 0; i < m; i++) {
      if (by_library) {
        exp_grad_row(p + i * n, dp + i * n, n, w, scale, sums[i], dc + i * width, co + i * width);
        continue;
      }
      score_grad_row(p + i * n, dp + i * n, n, w, scale, kept, causal_limit(causal, i, n),
                     sums[i], dc + i * width, co + i * width);
    }
    product(n, w, m, p, 1, n, dc, width, 1, dvalue + ko, width, scratch);
    product(m, w, n, dp, n, 1, k, width, 1, dquery + qo, width, scratch);
    product(n, w, m, dp, 1, n, q, width, 1, dkey + ko, width, scratch);
  }
}
