/* The k greatest of each row. */

/* Inserts into a list of the greatest so far, in falling order; equal values stay in the order of their indices. */
static NOINLINE void top_k_row(int n, int k, const float *x, float *values, int *indices) {
  int count = 0;
  for (int j = 0; j < n; j++) {
    if (count == k && !(x[j] > values[k - 1])) continue;
    int place = count < k ? count++ : k - 1;
    for (; place > 0 && x[j] > values[place - 1]; place--) {
      values[place] = values[place - 1];
      indices[place] = indices[place - 1];
    }
    values[place] = x[j];
    indices[place] = j;
  }
}
EXPORT(top_k) void top_k(int n, int k, const float *x, float *values, int *indices, int first, int rows) {
  for (int i = first; i < first + rows; i++) top_k_row(n, k, x + i * n, values + i * k, indices + i * k);
}
