/* A row of products becomes scores: s scale + bias. */
static NOINLINE void bias_row(float *s, int n, float scale, const float *bias) {
  const v128_t f = wasm_f32x4_splat(scale);
  int j = 0;
  for (; j + 4 <= n; j += 4) {
    wasm_v128_store(s + j, wasm_f32x4_add(wasm_f32x4_mul(wasm_v128_load(s + j), f), wasm_v128_load(bias + j)));
  }
  for (; j < n; j++) s[j] = s[j] * scale + bias[j];
}

/*
 * softmax(scale Q K' + bias) V: query, key, value, context [batch, n, width], bias [groups, heads, n, n], that of sample b in group
 * b % groups. `count` heads from `first` on, as in attention.c. Scratch: gemm's, then n x n floats.
 */
EXPORT(biased_attention)
void biased_attention(int n, int width, int heads, float scale, int groups, const float *query, const float *key,
                      const float *value, const float *bias, float *context, int first, int count, float *scratch) {
  const int w = width / heads;
  float *const scores = scratch + SCRATCH;
  for (int head = first; head < first + count; head++) {
    const int b = head / heads, h = head % heads, start = b * n * width + h * w;
    const float *added = bias + (b % groups * heads + h) * n * n;
    gemm(n, n, w, query + start, width, 1, key + start, 1, width, scores, n, 0, scratch);
    for (int i = 0; i < n; i++) {
      bias_row(scores + i * n, n, scale, added + i * n);
      softmax_row(scores + i * n, n, 1, 0, n);
    }
    gemm(n, w, n, scores, n, 1, value + start, width, 1, context + start, width, 0, scratch);
  }
}
