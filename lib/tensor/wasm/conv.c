/*
 * Convolutions as matrix products, padded with (kernel - 1) / 2 zeros: what some places read is laid side by side in scratch, as much
 * of it as stays in L2, and multiplied by the kernels; where a place reads its own pixel alone it is read where it stands.
 */
#define CONV_FLOATS 524288 /* that the patches of a block of places take: 2 MB */
#define CONV_PLACES 192    /* places of a block are a multiple of this: the kernels are packed once for each block */
#define CONV_BLOCKS 4      /* of them at most, so that a block of the result is finished while it is in L2 */

/* Places of a block whose patches have k floats. */
INLINE int conv_block(int k) {
  const int fitting = CONV_FLOATS / k / CONV_PLACES;
  return CONV_PLACES * (fitting < 1 ? 1 : min_int(fitting, CONV_BLOCKS));
}
EXPORT(conv_scratch) int conv_scratch(int k) { return (SCRATCH + conv_block(k) * k) * 4; }

static void zero_words(int n, float *to) {
  for (int i = 0; i < n; i++) to[i] = 0;
}

/* What `count` places from `first` on read, one patch [kernel][kernel][channels] after the other. */
static NOINLINE void patches_of(int height, int width, int channels, int kernel, int stride, int rows, int columns,
                                const float *x, int first, int count, float *to) {
  const int pad = (kernel - 1) / 2, line = kernel * channels;
  int column = first % columns, row = first / columns % rows;
  const float *image = x + first / columns / rows * height * width * channels;
  for (int place = 0; place < count; place++) {
    const int left = column * stride - pad, before = left < 0 ? -left : 0;
    const int within = min_int(kernel, width - left) - before;
    for (int tap = 0; tap < kernel; tap++, to += line) {
      const int from = row * stride - pad + tap;
      if (from < 0 || from >= height) {
        zero_words(line, to);
        continue;
      }
      zero_words(before * channels, to);
      copy_words(within * channels, image + (from * width + left + before) * channels, to + before * channels);
      zero_words((kernel - before - within) * channels, to + (before + within) * channels);
    }
    if (++column < columns) continue;
    column = 0;
    if (++row < rows) continue;
    row = 0;
    image += height * width * channels;
  }
}

/* A row of n products y: max(y gain + bias + addend, 0); addend may be null, and the maximum left out. NaN stays. */
static NOINLINE void finish_row(int n, float *y, const float *gain, const float *bias, const float *addend, int relu) {
  const v128_t zero = wasm_f32x4_const_splat(0);
  int j = 0;
  for (; j + 4 <= n; j += 4) {
    v128_t v = MADD(wasm_v128_load(y + j), wasm_v128_load(gain + j), wasm_v128_load(bias + j));
    if (addend) v = wasm_f32x4_add(v, wasm_v128_load(addend + j));
    wasm_v128_store(y + j, relu ? wasm_f32x4_pmax(v, zero) : v);
  }
  for (; j < n; j++) {
    float v = y[j] * gain[j] + bias[j];
    if (addend) v += addend[j];
    y[j] = relu && v < 0 ? 0 : v;
  }
}

/*
 * y [m, n], m = batch * rows * columns: `count` places, or columns of n, from `first` on; see matmul. x [batch, height, width, channels],
 * kernels [n, kernel * kernel * channels]. gain, bias [n]; addend [m, n] may be null.
 */
EXPORT(conv)
void conv(int part, int m, int n, int height, int width, int channels, int kernel, int stride, int rows, int columns,
          const float *x, const float *kernels, const float *gain, const float *bias, const float *addend, int relu,
          float *y, int first, int count, float *scratch) {
  const int k = kernel * kernel * channels, block = conv_block(k);
  const int from = part == OF_ROWS ? first : 0, end = part == OF_ROWS ? first + count : m;
  const int j = part == OF_COLUMNS ? first : 0, nc = part == OF_COLUMNS ? count : n;
  float *const patches = scratch + SCRATCH;
  for (int place = from; place < end; place += block) {
    const int places = min_int(block, end - place);
    const float *a = x + place * k;
    if (kernel > 1 || stride > 1) {
      patches_of(height, width, channels, kernel, stride, rows, columns, x, place, places, patches);
      a = patches;
    }
    float *const to = y + place * n + j;
    product(places, nc, k, a, k, 1, kernels + j * k, 1, k, to, n, scratch);
    for (int r = 0; r < places; r++) {
      finish_row(nc, to + r * n, gain + j, bias + j, addend ? addend + (place + r) * n + j : 0, relu);
    }
  }
}
