/* The ceiling to measure a matmul against: twelve independent chains of multiply-add, nothing read or written. */
EXPORT(peak) float peak(int iterations, float x) {
  v128_t acc[12];
  const v128_t f = wasm_f32x4_splat(x), g = wasm_f32x4_splat(x * 0.5f);
  for (int i = 0; i < 12; i++) acc[i] = wasm_f32x4_splat(x + (float)i);
  /* Eight at a time: twelve alone reach 42 or 48 GFLOP/s, by where the loop happens to stand. */
#pragma clang loop unroll_count(8)
  for (int n = 0; n < iterations; n++) {
#pragma clang loop unroll(full)
    for (int i = 0; i < 12; i++) acc[i] = MADD(acc[i], f, g);
  }
  float sum = 0;
  for (int i = 0; i < 12; i++) sum += horizontal_sum(acc[i]);
  return sum;
}
