/* The rows of a table that the indices name, all of which are in it. */
EXPORT(gather_rows) void gather_rows(int n, const float *table, const int *indices, float *out, int first, int rows) {
  for (int r = first; r < first + rows; r++) copy_words(n, table + indices[r] * n, out + r * n);
}
