/* LeakyReLU. */
static NOINLINE void leaky_relu_chunk(int n, const float *x, float slope, float *y) {
  for (int i = 0; i < n; i++) y[i] = x[i] < 0 ? x[i] * slope : x[i];
}
EXPORT(leaky_relu) void leaky_relu(const float *x, float slope, float *y, int first, int count) {
  const int end = first + count;
  for (int i = first; i < end; i += CHUNK) leaky_relu_chunk(min_int(CHUNK, end - i), x + i, slope, y + i);
}
/* dx = dy where y > 0, else slope dy. y is the result, or the argument: their signs are the same. */
EXPORT(leaky_relu_grad)
void leaky_relu_grad(const float *dy, const float *y, float slope, float *dx, int first, int count) {
  for (int i = first; i < first + count; i++) dx[i] = y[i] > 0 ? dy[i] : dy[i] * slope;
}
