/* Poolings of pixels. */
static void largest_words(int n, const float *x, float *largest) {
  int i = 0;
  for (; i + 4 <= n; i += 4) {
    wasm_v128_store(largest + i, wasm_f32x4_max(wasm_v128_load(x + i), wasm_v128_load(largest + i)));
  }
  for (; i < n; i++) {
    if (!(x[i] <= largest[i])) largest[i] = x[i];
  }
}

static void quarter_words(int n, float *x) {
  for (int i = 0; i < n; i++) x[i] *= 0.25f;
}

/*
 * The largest of 3 x 3 pixels at every second place, the border left out, or the mean of 2 x 2: `count` rows of places
 * [batch * rows][columns][channels] from `first` on.
 */
EXPORT(pool_pixels)
void pool_pixels(int is_max, int height, int width, int channels, int rows, int columns, const float *x, float *y,
                 int first, int count) {
  for (int r = first; r < first + count; r++) {
    const float *image = x + r / rows * height * width * channels;
    const int top = 2 * (r % rows) - is_max, last = min_int(height, top + 2 + is_max), begin = top < 0 ? 0 : top;
    for (int column = 0; column < columns; column++) {
      const int left = 2 * column - is_max, right = min_int(width, left + 2 + is_max), start = left < 0 ? 0 : left;
      float *const to = y + (r * columns + column) * channels;
      for (int i = begin; i < last; i++) {
        for (int j = start; j < right; j++) {
          const float *from = image + (i * width + j) * channels;
          if (i == begin && j == start) copy_words(channels, from, to);
          else if (is_max) largest_words(channels, from, to);
          else add_words(channels, to, from, to);
        }
      }
      if (!is_max) quarter_words(channels, to);
    }
  }
}
