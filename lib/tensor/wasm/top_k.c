/* The k greatest of each row. */

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
