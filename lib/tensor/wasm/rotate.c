/* Pairs of neighbouring numbers turned: y = x cos + (x with the two of each pair exchanged) sin, or turned back: - sin. */
static NOINLINE void rotate_row(int n, const float *x, const float *cosines, const float *sines, int back, float *y) {
  int i = 0;
  for (; i + 4 <= n; i += 4) {
    const v128_t v = wasm_v128_load(x + i), s = wasm_v128_load(sines + i);
    const v128_t straight = wasm_f32x4_mul(v, wasm_v128_load(cosines + i));
    const v128_t across = wasm_f32x4_mul(wasm_i32x4_shuffle(v, v, 1, 0, 3, 2), s);
    wasm_v128_store(y + i, back ? wasm_f32x4_sub(straight, across) : wasm_f32x4_add(straight, across));
  }
  for (; i < n; i++) {
    const float across = x[i ^ 1] * sines[i];
    y[i] = x[i] * cosines[i] + (back ? -across : across);
  }
}

/* `count` rows of x [.., width], width even, from `first` on; row r has row r % period of the tables. */
EXPORT(rotate)
void rotate(int period, int width, const float *x, const float *cosines, const float *sines, int back, float *y,
            int first, int count) {
  for (int r = first; r < first + count; r++) {
    const int t = r % period * width;
    rotate_row(width, x + r * width, cosines + t, sines + t, back, y + r * width);
  }
}
