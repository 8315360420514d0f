/* e^(s scale + bias - its greatest) of a row, in a line of whole vectors; returns their sum. */
static NOINLINE float biased_exp_row(float *s, int n, float scale, const float *bias) {
  const v128_t f = wasm_f32x4_splat(scale), masked = wasm_f32x4_const_splat(MASKED);
  v128_t top = wasm_f32x4_const_splat(-3e38f), sum = wasm_f32x4_const_splat(0);
  for (int j = 0; j < n; j += 4) {
    const v128_t added = j + 4 <= n ? wasm_v128_load(bias + j) : load_some(bias + j, n - j);
    const v128_t v = wasm_v128_bitselect(MADD(wasm_v128_load(s + j), f, added), masked, lanes_below(n - j));
    wasm_v128_store(s + j, v);
    top = wasm_f32x4_pmax(top, v);
  }
  const v128_t shift = wasm_f32x4_splat(horizontal_max(top));
  for (int j = 0; j < n; j += 4) {
    const v128_t e = exp4(wasm_f32x4_sub(wasm_v128_load(s + j), shift));
    wasm_v128_store(s + j, e);
    sum = wasm_f32x4_add(sum, e);
  }
  return horizontal_sum(sum);
}

/*
 * softmax(scale Q K' + bias) V: query, key, value, context [batch, n, width], bias [groups, heads, n, n], that of sample b in group
 * b % groups. `count` heads from `first` on, as in attention.c. The exponentials stand in rows of whole fours, and the context is
 * divided by their sums, of which a row has fewer numbers. Scratch: attention_scratch of n such rows and n sums.
 */
EXPORT(biased_attention)
void biased_attention(int n, int width, int heads, float scale, int groups, const float *query, const float *key,
                      const float *value, const float *bias, float *context, int first, int count, float *scratch) {
  const int w = width / heads, line = line_of(n);
  float *const scores = whole_line(scratch + SCRATCH), *const sums = scores + n * line;
  for (int head = first; head < first + count; head++) {
    const int b = head / heads, h = head % heads, start = b * n * width + h * w;
    const float *added = bias + (b % groups * heads + h) * n * n;
    product(n, n, w, query + start, width, 1, key + start, 1, width, scores, line, scratch);
    for (int i = 0; i < n; i++) {
      sums[i] = biased_exp_row(scores + i * line, n, scale, added + i * n);
    }
    product(n, w, n, scores, line, 1, value + start, width, 1, context + start, width, scratch);
    for (int i = 0; i < n; i++) scale_row(context + start + i * width, w, 1 / sums[i]);
  }
}
