/* A row of products becomes scores: s scale + bias, MASKED from n to the next four. Returns the greatest. */
INLINE float bias_row(float *s, int n, float scale, const float *bias) {
  const v128_t f = wasm_f32x4_splat(scale);
  v128_t top = wasm_f32x4_const_splat(-3e38f);
  int j = 0;
  for (; j + 4 <= n; j += 4) {
    const v128_t v = MADD(wasm_v128_load(s + j), f, wasm_v128_load(bias + j));
    wasm_v128_store(s + j, v);
    top = wasm_f32x4_pmax(top, v);
  }
  if (j < n) {
    const int left = n - j;
    const v128_t v = MADD(load_some(s + j, left), f, load_some(bias + j, left));
    wasm_v128_store(s + j, wasm_f32x4_const_splat(MASKED));
    store_some(s + j, v, left);
    top = wasm_f32x4_pmax(top, wasm_v128_load(s + j));
  }
  return horizontal_max(top);
}

/*
 * softmax(scale Q K' + bias) V: query, key, value, context [batch, n, width], bias [groups, heads, n, n], that of sample b in group
 * b % groups. `count` heads from `first` on, as in attention.c. The exponentials stand in rows of whole fours, and the context is
 * divided by their sums, of which a row has fewer numbers. Scratch: attention_scratch of n such rows and n sums.
 */
EXPORT(biased_attention)
void biased_attention(int n, int width, int heads, float scale, int groups, const float *query, const float *key,
                      const float *value, const float *bias, float *context, int first, int count, float *scratch) {
  const int w = width / heads, line = (n + 3) & ~3;
  float *const scores = whole_line(scratch + SCRATCH), *const sums = scores + n * line;
  for (int head = first; head < first + count; head++) {
    const int b = head / heads, h = head % heads, start = b * n * width + h * w;
    const float *added = bias + (b % groups * heads + h) * n * n;
    product(n, n, w, query + start, width, 1, key + start, 1, width, scores, line, scratch);
    for (int i = 0; i < n; i++) {
      float *const row = scores + i * line;
      sums[i] = exp_row(row, line, bias_row(row, n, scale, added + i * n));
    }
    product(n, w, n, scores, line, 1, value + start, width, 1, context + start, width, scratch);
    for (int i = 0; i < n; i++) scale_row(context + start + i * width, w, 1 / sums[i]);
  }
}
