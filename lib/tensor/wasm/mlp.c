/*
 * Perceptrons of two layers with GELU, some rows at a time, so that what is between the layers stays in the cache. The sums are those
 * of the single steps to the bit.
 */
#define BETWEEN_FLOATS 196608 /* three quarters of a megabyte */
static int mlp_rows(int hidden) { return min_int(MOST_USED, BETWEEN_FLOATS / hidden); }
EXPORT(mlp_scratch) int mlp_scratch(int out, int hidden) {
  return 4 * (SCRATCH + LINE + mlp_rows(hidden) * (hidden + out + 2));
}

/* Where the hidden layer's rows stand. */
INLINE float *between_rows(float *scratch) { return whole_line(scratch + SCRATCH); }

/*
 * y = drop(gelu(x W1' + b1) W2' + b2) + addend, W1 [hidden, in], W2 [out, hidden]; x W1' + b1 goes to `kept`. Biases, kept and addend
 * may be null.
 */
EXPORT(mlp)
void mlp(int in, int hidden, int out, const float *x, const float *w1, const float *b1, const float *w2, const float *b2,
         u32 seed, u32 limit, float scale, const float *addend, float *kept, float *y, int first, int rows, float *scratch) {
  float *const between = between_rows(scratch);
  const int most = mlp_rows(hidden), is_finished = !b2 && scale == 0 && !addend;
  for (int i = first, count; i < first + rows; i += count) {
    count = min_int(most, first + rows - i);
    float *const before = kept ? kept + i * hidden : between;
    product(count, hidden, in, x + i * in, in, 1, w1, 1, in, before, hidden, scratch);
    for (int r = 0; r < count; r++) gelu_row(hidden, b1, before + r * hidden, between + r * hidden);
    product(count, out, hidden, between, hidden, 1, w2, 1, hidden, y + i * out, out, scratch);
    if (!is_finished) linear(out, b2, seed, limit, scale, addend, y, i, count);
  }
}

/* dx = (dy W2 gelu'(kept)) W1, without the rows of dy that are zeros. */
EXPORT(mlp_grad_x)
void mlp_grad_x(int in, int hidden, int out, const float *dy, const float *w1, const float *w2, const float *kept, float *dx,
                int first, int rows, float *scratch) {
  const int most = mlp_rows(hidden), end = first + rows;
  float *const between = between_rows(scratch), *const gathered = between + most * hidden;
  int *const runs = (int *)(gathered + most * out);
  for (int next, count; first < end; first = next) {
    next = find_runs(out, dy, first, end, most, runs, &count);
    const int used = gather_runs(out, dy, runs, count, gathered);
    product(used, hidden, out, gathered, out, 1, w2, hidden, 1, between, hidden, scratch);
    float *row = between;
    for (int r = 0; r < count; r++) {
      for (int i = runs[2 * r]; i < runs[2 * r + 1]; i++, row += hidden) gelu_grad_chunk(hidden, row, kept + i * hidden, row);
    }
    product(used, in, hidden, between, hidden, 1, w1, in, 1, dx + first * in, in, scratch);
    spread_runs(in, dx, first, next, runs, count, used);
  }
}
