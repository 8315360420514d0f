/* Rows of unit length, x / max(|x|, 1e-12), and the gradient: two readings of a row that is still in the cache. */

static NOINLINE float dot_row(int n, const float *a, const float *b) {
  v128_t s = wasm_f32x4_const_splat(0), t = s;
  int i = 0;
  for (; i + 8 <= n; i += 8) {
    s = MADD(wasm_v128_load(a + i), wasm_v128_load(b + i), s);
    t = MADD(wasm_v128_load(a + i + 4), wasm_v128_load(b + i + 4), t);
  }
  float sum = horizontal_sum(wasm_f32x4_add(s, t));
  for (; i < n; i++) sum += a[i] * b[i];
  return sum;
}

/* y = p * a + q * b. */
static NOINLINE void combine_row(int n, float p, const float *a, float q, const float *b, float *y) {
  const v128_t pp = wasm_f32x4_splat(p), qq = wasm_f32x4_splat(q);
  int i = 0;
  for (; i + 4 <= n; i += 4) {
    wasm_v128_store(y + i, MADD(pp, wasm_v128_load(a + i), wasm_f32x4_mul(qq, wasm_v128_load(b + i))));
  }
  for (; i < n; i++) y[i] = p * a[i] + q * b[i];
}

/* Comparisons are false for NaN, which stays NaN. */
static float length_of(float square) { return __builtin_sqrtf(square < 1e-24f ? 1e-24f : square); }

EXPORT(unit_rows) void unit_rows(int n, const float *x, float *y, int first, int rows) {
  x += first * n, y += first * n;
  for (int r = 0; r < rows; r++, x += n, y += n) {
    const float inverse = 1 / length_of(dot_row(n, x, x));
    combine_row(n, inverse, x, 0, x, y);
  }
}

/* dx = (dy - u (u . dy)) / |x| with u = x / |x|; below the smallest length the divisor is a constant: dx = dy / 1e-12. */
EXPORT(unit_rows_grad)
void unit_rows_grad(int n, const float *dy, const float *x, float *dx, int first, int rows) {
  dy += first * n, x += first * n, dx += first * n;
  for (int r = 0; r < rows; r++, dy += n, x += n, dx += n) {
    const float square = dot_row(n, x, x), inverse = 1 / length_of(square);
    const float along = square < 1e-24f ? 0 : dot_row(n, x, dy) * inverse * inverse;
    combine_row(n, inverse, dy, -inverse * along, x, dx);
  }
}
