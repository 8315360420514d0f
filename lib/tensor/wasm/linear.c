/*
 * What follows the products of linear layers, row by row, so that each number is read and written once. Sums are those of the
 * single steps to the bit. A mask is that of dropout; `scale` 0: none.
 */

/* Four elements at j of n at a time, then the last 1 to 3: `left` says how many. */
#define EACH_FOUR(n, ...)         \
  {                               \
    int j = 0;                    \
    for (; j + 4 <= (n); j += 4) { \
      const int left = 4;         \
      __VA_ARGS__                 \
    }                             \
    if (j < (n)) {                \
      const int left = (n) - j;   \
      __VA_ARGS__                 \
    }                             \
  }
INLINE v128_t load_four(const float *p, int left) { return left == 4 ? wasm_v128_load(p) : load_some(p, left); }
INLINE void store_four(float *p, v128_t v, int left) {
  if (left == 4) wasm_v128_store(p, v);
  else store_some(p, v, left);
}

/* The elements from flat index `first` on, masked. */
INLINE v128_t masked(v128_t x, int first, u32 seed, u32 limit, float scale) {
  if (scale == 0) return x;
  const v128_t s = wasm_i32x4_splat((int)seed), l = wasm_i32x4_splat((int)limit), f = wasm_f32x4_splat(scale);
  return DROPOUT4(, x, spread_indices(first), s, l, f);
}

static NOINLINE void linear_row(int n, int first, const float *bias, u32 seed, u32 limit, float scale, const float *addend,
                                float *y) {
  EACH_FOUR(n, {
    v128_t v = load_four(y + j, left);
    if (bias) v = wasm_f32x4_add(v, load_four(bias + j, left));
    v = masked(v, first + j, seed, limit, scale);
    if (addend) v = wasm_f32x4_add(load_four(addend + j, left), v);
    store_four(y + j, v, left);
  })
}
/* y = drop(y + bias) + addend; bias and addend may be null. */
EXPORT(linear)
void linear(int n, const float *bias, u32 seed, u32 limit, float scale, const float *addend, float *y, int first, int rows) {
  for (int i = first; i < first + rows; i++) {
    linear_row(n, i * n, bias, seed, limit, scale, addend ? addend + i * n : 0, y + i * n);
  }
}

static NOINLINE void gelu_row(int n, const float *bias, float *x, float *y) {
  EACH_FOUR(n, {
    v128_t v = load_four(x + j, left);
    if (bias) store_four(x + j, v = wasm_f32x4_add(v, load_four(bias + j, left)), left);
    store_four(y + j, gelu4(v), left);
  })
}
/* x += bias; y = gelu(x). x and y may be the same. */
EXPORT(linear_gelu) void linear_gelu(int n, const float *bias, float *x, float *y, int first, int rows) {
  for (int i = first; i < first + rows; i++) gelu_row(n, bias, x + i * n, y + i * n);
}

static NOINLINE void leaky_relu_row(int n, const float *bias, float slope, float *y) {
  for (int j = 0; j < n; j++) {
    const float v = bias ? y[j] + bias[j] : y[j];
    y[j] = v < 0 ? v * slope : v;
  }
}
/* y = leaky_relu(y + bias). */
EXPORT(linear_leaky_relu) void linear_leaky_relu(int n, const float *bias, float slope, float *y, int first, int rows) {
  for (int i = first; i < first + rows; i++) leaky_relu_row(n, bias, slope, y + i * n);
}

/* Rows of x from flat index `first` on, `line` floats apart, masked in scratch [count, k]; x itself without a mask. */
static const float *masked_rows(int count, int k, const float *x, int line, int first, u32 seed, u32 limit, float scale,
                                float *scratch) {
  if (scale == 0) return x;
  for (int i = 0; i < count; i++) dropout_chunk(k, first + i * line, x + i * line, seed, limit, scale, scratch + i * k);
  return scratch;
}

#define LORA_ROWS 32   /* rows masked at a time */
#define LORA_TERMS 256 /* likewise, of a few columns */
/* Scratch of lora and of lora_grad_a. */
EXPORT(lora_scratch) int lora_scratch(int in, int out, int rank) { return 4 * (SCRATCH + LORA_TERMS * in + rank * out); }

/* sum over p of factors[p] lines[p], four columns. */
INLINE v128_t low_rank_sum(int rank, const float *factors, const float *lines, int n, int left) {
  v128_t sum = wasm_f32x4_mul(wasm_v128_load32_splat(factors), load_four(lines, left));
  for (int p = 1; p < rank; p++) sum = MADD(wasm_v128_load32_splat(factors + p), load_four(lines + p * n, left), sum);
  return sum;
}
/* The same for a rank of four, as most are, its factors at hand. */
#define FOUR_FACTORS(f, from)                                                                                     \
  const v128_t f##0 = wasm_v128_load32_splat(from), f##1 = wasm_v128_load32_splat((from) + 1),                    \
               f##2 = wasm_v128_load32_splat((from) + 2), f##3 = wasm_v128_load32_splat((from) + 3);
#define FOUR_SUM(f, l) MADD(f##3, l##3, MADD(f##2, l##2, MADD(f##1, l##1, wasm_f32x4_mul(f##0, l##0))))
#define FOUR_LINES(l, lines, n)                                                                                   \
  const v128_t l##0 = load_four((lines) + j, left), l##1 = load_four((lines) + (n) + j, left),                    \
               l##2 = load_four((lines) + 2 * (n) + j, left), l##3 = load_four((lines) + 3 * (n) + j, left);

static NOINLINE void lora_row(int n, int rank, const float *low, const float *lines, const float *bias, float *y) {
  EACH_FOUR(n, {
    const v128_t update = low_rank_sum(rank, low, lines + j, n, left);
    v128_t v = load_four(y + j, left);
    if (bias) v = wasm_f32x4_add(v, load_four(bias + j, left));
    store_four(y + j, wasm_f32x4_add(v, update), left);
  })
}
static NOINLINE void lora_two_rows(int n, const float *low, int stride, const float *lines, const float *bias, float *y) {
  FOUR_FACTORS(f, low)
  FOUR_FACTORS(g, low + stride)
  EACH_FOUR(n, {
    FOUR_LINES(l, lines, n)
    v128_t u = load_four(y + j, left), v = load_four(y + n + j, left);
    if (bias) {
      const v128_t b = load_four(bias + j, left);
      u = wasm_f32x4_add(u, b);
      v = wasm_f32x4_add(v, b);
    }
    store_four(y + j, wasm_f32x4_add(u, FOUR_SUM(f, l)), left);
    store_four(y + n + j, wasm_f32x4_add(v, FOUR_SUM(g, l)), left);
  })
}

/*
 * low = scaling drop(x) A', in rows of `stride` floats; y = (y + bias) + low B'. x [rows, in], A [rank, in], B [out, rank].
 * Scratch: lora_scratch.
 */
EXPORT(lora)
void lora(int in, int out, int rank, const float *x, u32 seed, u32 limit, float scale, const float *a, const float *b,
          float scaling, const float *bias, float *low, int stride, float *y, int first, int rows, float *scratch) {
  float *const lines = scratch + SCRATCH, *const kept = lines + rank * out;
  for (int p = 0; p < rank; p++) {
    for (int j = 0; j < out; j++) lines[p * out + j] = b[j * rank + p];
  }
  for (int i = first, end; i < first + rows; i = end) {
    const int count = min_int(LORA_ROWS, first + rows - i);
    const float *input = masked_rows(count, in, x + i * in, in, i * in, seed, limit, scale, kept);
    gemm(count, rank, in, input, in, 1, a, 1, in, low + i * stride, stride, 0, scratch);
    end = i + count;
    for (int r = i; r < end; r++) {
      for (int p = 0; p < rank; p++) low[r * stride + p] *= scaling;
    }
    if (rank == 4) {
      for (; i + 2 <= end; i += 2) lora_two_rows(out, low + i * stride, stride, lines, bias, y + i * out);
    }
    for (; i < end; i++) lora_row(out, rank, low + i * stride, lines, bias, y + i * out);
  }
}

/* dlow = scaling dy B. */
EXPORT(lora_grad_low)
void lora_grad_low(int out, int rank, const float *dy, const float *b, float scaling, float *dlow, int stride, int first,
                   int rows, float *scratch) {
  gemm(rows, rank, out, dy + first * out, out, 1, b, rank, 1, dlow + first * stride, stride, 0, scratch);
  for (int i = first; i < first + rows; i++) {
    for (int p = 0; p < rank; p++) dlow[i * stride + p] *= scaling;
  }
}

/* dB = dy' low, so many of its rows. */
EXPORT(lora_grad_b)
void lora_grad_b(int m, int out, int rank, const float *dy, const float *low, int stride, float *db, int first, int rows,
                 float *scratch) {
  gemm(rows, rank, m, dy + first, 1, out, low, stride, 1, db + first * rank, rank, 0, scratch);
}

/* dA = dlow' drop(x), so many of its columns. Scratch: lora_scratch. */
EXPORT(lora_grad_a)
void lora_grad_a(int m, int in, int rank, const float *dlow, int stride, const float *x, u32 seed, u32 limit, float scale,
                 float *da, int first, int columns, float *scratch) {
  if (m == 0) fill_rows(rank, columns, da + first, in, 0);
  for (int i = 0; i < m; i += LORA_TERMS) {
    const int count = min_int(LORA_TERMS, m - i), from = i * in + first;
    const float *input = masked_rows(count, columns, x + from, in, from, seed, limit, scale, scratch + SCRATCH);
    gemm_panels(rank, columns, count, dlow + i * stride, 1, stride, input, scale == 0 ? in : columns, 1, da + first, in, 0,
                i > 0, scratch);
  }
}

static NOINLINE void lora_grad_row(int in, int first, int rank, const float *dlow, const float *a, u32 seed, u32 limit,
                                   float scale, const float *product, float *dx) {
  EACH_FOUR(in, {
    const v128_t update = masked(low_rank_sum(rank, dlow, a + j, in, left), first + j, seed, limit, scale);
    const v128_t v = wasm_f32x4_add(update, load_four(product + j, left));
    store_four(dx + j, product == dx ? v : wasm_f32x4_add(load_four(dx + j, left), v), left);
  })
}
static NOINLINE void lora_grad_row_of_four(int in, int first, const float *dlow, const float *a, u32 seed, u32 limit,
                                           float scale, const float *product, float *dx) {
  FOUR_FACTORS(f, dlow)
  EACH_FOUR(in, {
    FOUR_LINES(l, a, in)
    const v128_t update = masked(FOUR_SUM(f, l), first + j, seed, limit, scale);
    const v128_t v = wasm_f32x4_add(update, load_four(product + j, left));
    store_four(dx + j, product == dx ? v : wasm_f32x4_add(load_four(dx + j, left), v), left);
  })
}
/* dx += drop(dlow A) + product; where dx is the product, dx = drop(dlow A) + dx. */
EXPORT(lora_grad_x)
void lora_grad_x(int in, int rank, const float *dlow, int stride, const float *a, u32 seed, u32 limit, float scale,
                 const float *product, float *dx, int first, int rows) {
  for (int i = first; i < first + rows; i++) {
    const float *d = dlow + i * stride, *p = product + i * in;
    if (rank == 4) lora_grad_row_of_four(in, i * in, d, a, seed, limit, scale, p, dx + i * in);
    else lora_grad_row(in, i * in, rank, d, a, seed, limit, scale, p, dx + i * in);
  }
}
