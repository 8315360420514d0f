/* tfjs's kernels that were slow: the k greatest of each row, LeakyReLU, tile, addition, rows of a table. */

/* Inserts into a list of the greatest so far, in falling order; equal values stay in the order of their indices. */
static NOINLINE void top_k_row(int n, int k, const float *x, float *values, int *indices) {
  int count = 0;
  for (int j = 0; j < n; j++) {
    if (count == k && !(x[j] > values[k - 1])) continue;
    int at = count < k ? count++ : k - 1;
    for (; at > 0 && x[j] > values[at - 1]; at--) {
      values[at] = values[at - 1];
      indices[at] = indices[at - 1];
    }
    values[at] = x[j];
    indices[at] = j;
  }
}
EXPORT(top_k) void top_k(int n, int k, const float *x, float *values, int *indices, int first, int rows) {
  for (int i = first; i < first + rows; i++) top_k_row(n, k, x + i * n, values + i * k, indices + i * k);
}

static NOINLINE void leaky_relu_chunk(int n, const float *x, float slope, float *y) {
  for (int i = 0; i < n; i++) y[i] = x[i] < 0 ? x[i] * slope : x[i];
}
EXPORT(leaky_relu) void leaky_relu(const float *x, float slope, float *y, int first, int count) {
  const int end = first + count;
  for (int i = first; i < end; i += CHUNK) leaky_relu_chunk(min_int(CHUNK, end - i), x + i, slope, y + i);
}

/* Each of `blocks` blocks of `size` words `times` times in a row: one dimension of a tile. */
static NOINLINE void copy_words(int n, const float *from, float *to) {
  int i = 0;
  for (; i + 4 <= n; i += 4) wasm_v128_store(to + i, wasm_v128_load(from + i));
  for (; i < n; i++) to[i] = from[i];
}
EXPORT(repeat_blocks) void repeat_blocks(int blocks, int size, int times, const float *x, float *y) {
  for (int b = 0; b < blocks; b++, x += size) {
    for (int t = 0; t < times; t++, y += size) copy_words(size, x, y);
  }
}

static NOINLINE void add_words(int n, const float *x, const float *y, float *sum) {
  int i = 0;
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

/* The rows of a table that the indices name, all of which are in it. */
EXPORT(gather_rows) void gather_rows(int n, const float *table, const int *indices, float *out, int first, int rows) {
  for (int r = first; r < first + rows; r++) copy_words(n, table + indices[r] * n, out + r * n);
}
