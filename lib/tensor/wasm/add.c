/* Addition. */
static NOINLINE void add_words(int n, const float *x, const float *y, float *sum) {
  int i = 0;
#pragma clang loop unroll_count(2)
  for (; i + 4 <= n; i += 4) wasm_v128_store(sum + i, wasm_f32x4_add(wasm_v128_load(x + i), wasm_v128_load(y + i)));
  for (; i < n; i++) sum[i] = x[i] + y[i];
}
/* Arrays of one shape. */
EXPORT(add) void add(const float *x, const float *y, float *sum, int first, int count) {
  const int end = first + count;
  for (int i = first; i < end; i += CHUNK) add_words(min_int(CHUNK, end - i), x + i, y + i, sum + i);
}
/* One row of n to each row. */
EXPORT(add_row) void add_row(int n, const float *x, const float *row, float *sum, int first, int rows) {
  for (int r = first; r < first + rows; r++) add_words(n, x + r * n, row, sum + r * n);
}
