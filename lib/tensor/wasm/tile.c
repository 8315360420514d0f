/* Each of `blocks` blocks of `size` words `times` times in a row: one dimension of a tile. */
static NOINLINE void copy_words(int n, const float *from, float *to) {
  int i = 0;
  for (; i + 4 <= n; i += 4) wasm_v128_store(to + i, wasm_v128_load(from + i));
  for (; i < n; i++) to[i] = from[i];
}
EXPORT(repeat_blocks) void repeat_blocks(int blocks, int size, int times, const float *x, float *y) {
  for (int b = 0; b < blocks; b++, x += size) {
    for (int t = 0; t < times; t++, y += size) copy_words(size, x, y);
  }
}
