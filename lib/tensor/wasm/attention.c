/*
 * Multi-head attention: softmax(scale Q K' with masked keys at -1e9) V. Heads are consecutive slices of the columns, read
 * in place. The probabilities of one head of one sample at a time stand in scratch and stay in the cache.
 */
#define MASKED -1e9f

/* Scores stand in rows of whole vectors: `line` floats, of which those from n on mean nothing. */
INLINE int line_of(int n) { return (n + 3) & ~3; }

/* Which lanes of a vector are below `count`, which may be negative or more than four. */
INLINE v128_t lanes_below(int count) {
  return wasm_i32x4_lt(wasm_i32x4_const(0, 1, 2, 3), wasm_i32x4_splat(count));
}

/* Products to scores. A key is seen if keep[j] (all bits or none; null: all) and j < limit (causal), else it is at MASKED. */
INLINE v128_t score4(const float *s, v128_t scale, const u32 *keep) {
  const v128_t v = wasm_f32x4_mul(wasm_v128_load(s), scale);
  return keep ? wasm_v128_bitselect(v, wasm_f32x4_const_splat(MASKED), wasm_v128_load(keep)) : v;
}

/* The greatest score of a row. */
static NOINLINE float top_score(const float *s, int n, float scale, const u32 *keep, int limit) {
  const v128_t f = wasm_f32x4_splat(scale), least = wasm_f32x4_const_splat(-3e38f);
  v128_t a = least, b = least;
  int j = 0;
  for (; j + 8 <= limit; j += 8) {
    a = wasm_f32x4_pmax(a, score4(s + j, f, keep ? keep + j : 0));
    b = wasm_f32x4_pmax(b, score4(s + j + 4, f, keep ? keep + j + 4 : 0));
  }
  for (; j < limit; j += 4) {
    a = wasm_f32x4_pmax(a, wasm_v128_bitselect(score4(s + j, f, keep ? keep + j : 0), least, lanes_below(limit - j)));
  }
  const float greatest = horizontal_max(wasm_f32x4_pmax(a, b));
  return limit < n && greatest < MASKED ? MASKED : greatest;
}

/*
 * For each vector of a row: `v`, its scores less `shift`, and what is done with it. The lanes from n on are 0 where no key is
 * hidden by `limit`, so that they are no exceptions.
 */
#define EACH_SHIFTED(s, n, scale, keep, limit, shift, v, code)                                               \
  do {                                                                                                       \
    const v128_t f_ = wasm_f32x4_splat(scale), m_ = wasm_f32x4_splat(shift);                                 \
    const v128_t hidden_ = wasm_f32x4_splat(limit < n ? MASKED - shift : 0);                                 \
    int j = 0;                                                                                               \
    for (; j + 4 <= limit; j += 4) {                                                                         \
      const v128_t v = wasm_f32x4_sub(score4(s + j, f_, keep ? keep + j : 0), m_);                           \
      code;                                                                                                  \
    }                                                                                                        \
    for (; j < n; j += 4) {                                                                                  \
      const v128_t seen_ = wasm_f32x4_sub(score4(s + j, f_, keep ? keep + j : 0), m_);                       \
      const v128_t v = wasm_v128_bitselect(seen_, hidden_, lanes_below(limit - j));                          \
      code;                                                                                                  \
    }                                                                                                        \
  } while (0)

/* The sum of a row's n numbers. */
static NOINLINE float sum_row(const float *s, int n) {
  v128_t a = wasm_f32x4_const_splat(0), b = a;
  int j = 0;
  for (; j + 8 <= n; j += 8) {
    a = wasm_f32x4_add(a, wasm_v128_load(s + j));
    b = wasm_f32x4_add(b, wasm_v128_load(s + j + 4));
  }
  for (; j < n; j += 4) a = wasm_f32x4_add(a, wasm_v128_and(wasm_v128_load(s + j), lanes_below(n - j)));
  return horizontal_sum(wasm_f32x4_add(a, b));
}

/* s[j] = e^(score - shift). */
static NOINLINE void exp_row(float *s, int n, float scale, const u32 *keep, int limit, float shift) {
  EACH_SHIFTED(s, n, scale, keep, limit, shift, v, wasm_v128_store(s + j, exp4(v)));
}

/*
 * The same for many rows at once by a library (blas.ts): numbers are shifted, then e^x. It is slow where the result is 0 or nearly, so
 * no number is less than LOWEST; what was is 0 afterwards.
 */
__attribute__((import_module("blas"), import_name("exp"))) void blas_exp(int n, float *x);
static int exp_on __attribute__((address_space(1)));
EXPORT(use_exp) void use_exp(int on) { exp_on = on; }
#define LEAST_EXPS 1024 /* as many numbers are worth a call */
#define LOWEST -87.3f
#define LEAST_EXP 1.25e-38f /* e^LOWEST is 1.22e-38 */

/* s[j] = score - shift, at least LOWEST. Returns whether some was less. */
static NOINLINE int shift_row(float *s, int n, float scale, const u32 *keep, int limit, float shift) {
  const v128_t lowest = wasm_f32x4_const_splat(LOWEST);
  v128_t least = wasm_f32x4_const_splat(0);
  EACH_SHIFTED(s, n, scale, keep, limit, shift, v, {
    least = wasm_f32x4_pmin(least, v);
    wasm_v128_store(s + j, wasm_f32x4_pmax(v, lowest));
  });
  return wasm_v128_any_true(wasm_f32x4_lt(least, lowest));
}

/* After the library: 0 where a number was less than LOWEST. */
static NOINLINE void clear_lowest(float *s, int n) {
  for (int j = 0; j < n; j += 4) {
    const v128_t e = wasm_v128_load(s + j); /* not "greater": NaN stays NaN */
    wasm_v128_store(s + j, wasm_v128_andnot(e, wasm_f32x4_le(e, wasm_f32x4_const_splat(LEAST_EXP))));
  }
}

INLINE void scale_row(float *s, int n, float factor) {
  int j = 0;
  for (; j + 4 <= n; j += 4) wasm_v128_store(s + j, wasm_f32x4_mul(wasm_v128_load(s + j), wasm_f32x4_splat(factor)));
  for (; j < n; j++) s[j] *= factor;
}

INLINE int causal_limit(int causal, int i, int n) { return causal ? min_int(i + 1, n) : n; }

EXPORT(attention_scratch) int attention_scratch(int floats) { return 4 * (SCRATCH + LINE + floats); }

/* e^(score - shift) of rows from row `first` of a sample on; `shifts` are their own. */
static void exp_rows(float *scores, int rows, int n, float scale, const u32 *keep, int causal, int first,
                     const float *shifts) {
  const int line = line_of(n), by_library = exp_on && rows * n >= LEAST_EXPS;
  int is_low = 0;
  for (int i = 0; i < rows; i++) {
    float *const row = scores + i * line;
    const int limit = causal_limit(causal, first + i, n);
    if (by_library) is_low |= shift_row(row, n, scale, keep, limit, shifts[i]);
    else exp_row(row, n, scale, keep, limit, shifts[i]);
  }
  if (by_library) blas_exp(rows * line, scores);
  if (is_low) clear_lowest(scores, rows * line);
}

/* Of the sums in `factors` the log is added to `tops`, and the reciprocal stays. */
static NOINLINE void finish_sums(int rows, float *factors, float *tops) {
  const v128_t one = wasm_f32x4_const_splat(1);
  int i = 0;
  for (; i + 4 <= rows; i += 4) {
    const v128_t sum = wasm_v128_load(factors + i);
    wasm_v128_store(tops + i, wasm_f32x4_add(wasm_v128_load(tops + i), log4(sum)));
    wasm_v128_store(factors + i, wasm_f32x4_div(one, sum));
  }
  if (i < rows) {
    const v128_t sum = load_some(factors + i, rows - i);
    store_some(tops + i, wasm_f32x4_add(load_some(tops + i, rows - i), log4(sum)), rows - i);
    store_some(factors + i, wasm_f32x4_div(one, sum), rows - i);
  }
}

/*
 * How many keys are read: those up to the last that is kept, in whole pairs of vectors, so that no sum is ordered otherwise. All where a
 * row may see none, as its softmax is over all.
 */
static int keys_read(int n, const u32 *keep, int causal) {
  if (!keep || (causal && !keep[0])) return n;
  int read = n;
  while (read > 0 && !keep[read - 1]) read--;
  return read == 0 ? n : min_int((read + 7) & ~7, n);
}

/*
 * By a library a head's scores come scaled from its product, and where none is FAR from 0 nothing is taken from them: neither e^score nor
 * its sums and their reciprocals are beyond a float then, nor gradients times those.
 */
#define FAR 40.0f
#define MOST_HIDDEN 8

/* The place of the number that is furthest from 0, and the sums of rows, for which a row of ones is at hand: by the library. */
__attribute__((import_module("blas"), import_name("greatest"))) int blas_greatest(int n, const float *x);
__attribute__((import_module("blas"), import_name("sums"))) void blas_sums(int rows, int n, const float *x, int line,
                                                                         const float *ones, float *sums);

/* A head, or some of its rows, which stand `apart`; those of key and value `width`. */
typedef struct {
  int rows, keys, line, w, apart, width;
  float scale;
  const float *q, *k, *v;
  int hidden_count, hidden[MOST_HIDDEN]; /* masked ones among the keys */
} Head;

/* Whether the head can be treated so; finds its masked keys, which must be few, but not all. */
static int is_head_by_library(Head *head, int causal, const u32 *keep) {
  const int keys = head->keys;
  int count = 0;
  if (causal || !is_by_library(head->rows, keys, head->w)) return 0;
  for (int j = 0; keep && j < keys; j++) {
    if (keep[j]) continue;
    if (count == MOST_HIDDEN) return 0;
    head->hidden[count++] = j;
  }
  head->hidden_count = count;
  return count < keys;
}

/* e^x of n numbers, whole vectors, in their place; returns whether none is FAR from 0. */
static NOINLINE int exp_near(int n, float *x) {
  v128_t greatest = wasm_f32x4_const_splat(0);
  for (int j = 0; j < n; j += 4) {
    const v128_t v = wasm_v128_load(x + j);
    greatest = wasm_f32x4_pmax(greatest, wasm_f32x4_abs(v));
    wasm_v128_store(x + j, exp4(v));
  }
  return horizontal_max(greatest) <= FAR;
}

/* e^score of a head's rows, 0 of masked keys; returns whether no score is FAR from 0, else they are of no use. */
static int exp_scores(const Head *head, float *scores) {
  const int keys = head->keys, line = head->line, n = head->rows * line;
  blas_sgemm(0, 1, head->rows, keys, head->w, head->scale, head->q, head->apart, head->k, head->width, scores, line);
  for (int end = line; end <= n; end += line) {
    for (int j = end - line + keys; j < end; j++) scores[j] = 0;
  }
  if (exp_on) {
    if (!(__builtin_fabsf(scores[blas_greatest(n, scores)]) <= FAR)) return 0;
    blas_exp(n, scores);
  } else if (!exp_near(n, scores)) {
    return 0;
  }
  for (int h = 0; h < head->hidden_count; h++) {
    for (int i = 0; i < head->rows; i++) scores[i * line + head->hidden[h]] = 0;
  }
  return 1;
}

/* The context, still to be divided by the sums, whose logs are `sums` and reciprocals `factors`, a row of ones behind them; or 0. */
static int attend_by_library(const Head *head, float *context, float *sums, float *scores, float *factors) {
  const int rows = head->rows, keys = head->keys, line = head->line;
  float *const ones = factors + rows;
  if (!exp_scores(head, scores)) return 0;
  for (int j = 0; j < keys; j++) ones[j] = 1;
  for (int i = 0; i < rows; i++) sums[i] = 0;
  blas_sums(rows, keys, scores, line, ones, factors);
  finish_sums(rows, factors, sums);
  blas_sgemm(0, 0, rows, head->w, keys, 1, scores, line, head->v, head->width, context, head->width);
  return 1;
}

/*
 * query [batch, m, width], key and value [batch, n, width], keep [batch, n] (0 or all bits) or null -> context
 * [batch, m, width], log_sum_exp [batch, heads, m]. `count` heads are computed from `first` on, all samples' heads in a
 * row. The context is divided by the sums, of which a row has fewer numbers. Scratch: attention_scratch of `block` lines of
 * scores, as many sums, and a line.
 */
EXPORT(attention)
void attention(int m, int n, int width, int heads, float scale, int causal, const float *query, const float *key,
               const float *value, const u32 *keep, float *context, float *log_sum_exp, int block, int first,
               int count, float *scratch) {
  const int w = width / heads;
  float *const scores = whole_line(scratch + SCRATCH), *const factors = scores + block * line_of(n);
  for (int head = first; head < first + count; head++) {
    const int b = head / heads, h = head % heads;
    const float *k = key + b * n * width + h * w, *v = value + b * n * width + h * w;
    const u32 *const kept = keep ? keep + b * n : 0;
    const int keys = keys_read(n, kept, causal), line = line_of(keys);
    for (int i0 = 0; i0 < m; i0 += block) {
      const int rows = min_int(block, m - i0), start = (b * m + i0) * width + h * w;
      float *const sums = log_sum_exp + head * m + i0;
      Head part = { rows, keys, line, w, width, width, scale, query + start, k, v };
      if (!is_head_by_library(&part, causal, kept) || !attend_by_library(&part, context + start, sums, scores, factors)) {
        product(rows, keys, w, query + start, width, 1, k, 1, width, scores, line, scratch);
        for (int i = 0; i < rows; i++) {
          sums[i] = top_score(scores + i * line, keys, scale, kept, causal_limit(causal, i0 + i, keys));
        }
        exp_rows(scores, rows, keys, scale, kept, causal, i0, sums);
        for (int i = 0; i < rows; i++) factors[i] = sum_row(scores + i * line, keys);
        finish_sums(rows, factors, sums);
        product(rows, w, keys, scores, line, 1, v, width, 1, context + start, width, scratch);
      }
      for (int i = 0; i < rows; i++) scale_row(context + start + i * width, w, factors[i]);
    }
  }
}
