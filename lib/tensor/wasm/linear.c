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
