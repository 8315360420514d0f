// The inverse transform of a JPEG block of 8 bits, with 128-bit vectors: libjpeg's accurate one, to the integer. Included by
// _jpeg_grey.c.
#include <stdint.h>
#include <wasm_simd128.h>

static inline v128_t pairs(int16_t a, int16_t b) { return wasm_i16x8_make(a, b, a, b, a, b, a, b); }

#define LOW(a, b) wasm_i16x8_shuffle(a, b, 0, 8, 1, 9, 2, 10, 3, 11)
#define HIGH(a, b) wasm_i16x8_shuffle(a, b, 4, 12, 5, 13, 6, 14, 7, 15)
#define LOW32(a, b) wasm_i32x4_shuffle(a, b, 0, 4, 1, 5)
#define HIGH32(a, b) wasm_i32x4_shuffle(a, b, 2, 6, 3, 7)
#define LOW64(a, b) wasm_i64x2_shuffle(a, b, 0, 2)
#define HIGH64(a, b) wasm_i64x2_shuffle(a, b, 1, 3)
#define LOW8(a, b) wasm_i8x16_shuffle(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23)
#define HIGH8(a, b) wasm_i8x16_shuffle(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31)
#define DOT wasm_i32x4_dot_i16x8
#define ADD wasm_i32x4_add
#define SUB wasm_i32x4_sub

// Four columns of one dimension: c04 and its like hold two coefficients of each column side by side. The numbers are those of
// BASIS in _jpeg_extended.ts. With `few`, coefficients 4 to 7 are 0, and c04 holds 0 and 2 instead.
static inline void four(v128_t c04, v128_t c26, v128_t c13, v128_t c57, int few, int shift, v128_t out[8]) {
  v128_t even[4], odd[4];
  v128_t half = wasm_i32x4_splat(1 << (shift - 1));
  if (few) {
    even[0] = DOT(c04, pairs(8192, 10703));
    even[1] = DOT(c04, pairs(8192, 4433));
    even[2] = DOT(c04, pairs(8192, -4433));
    even[3] = DOT(c04, pairs(8192, -10703));
    for (int x = 0; x < 4; x++) even[x] = ADD(even[x], half);
  } else {
    v128_t sum = ADD(DOT(c04, pairs(8192, 8192)), half), difference = ADD(DOT(c04, pairs(8192, -8192)), half);
    v128_t outer = DOT(c26, pairs(10703, 4433)), inner = DOT(c26, pairs(4433, -10704));
    even[0] = ADD(sum, outer);
    even[1] = ADD(difference, inner);
    even[2] = SUB(difference, inner);
    even[3] = SUB(sum, outer);
  }
  odd[0] = DOT(c13, pairs(11363, 9633));
  odd[1] = DOT(c13, pairs(9633, -2259));
  odd[2] = DOT(c13, pairs(6437, -11362));
  odd[3] = DOT(c13, pairs(2260, -6436));
  if (!few) {
    odd[0] = ADD(odd[0], DOT(c57, pairs(6437, 2260)));
    odd[1] = ADD(odd[1], DOT(c57, pairs(-11362, -6436)));
    odd[2] = ADD(odd[2], DOT(c57, pairs(2261, 9633)));
    odd[3] = ADD(odd[3], DOT(c57, pairs(9633, -11363)));
  }
  for (int x = 0; x < 4; x++) {
    out[x] = wasm_i32x4_shr(ADD(even[x], odd[x]), shift);
    out[7 - x] = wasm_i32x4_shr(SUB(even[x], odd[x]), shift);
  }
}

// One dimension of the inverse transform, down the eight columns.
static inline void transform(v128_t v[8], int few, int shift) {
  v128_t low[8], high[8], even = few ? v[2] : v[4];
  four(LOW(v[0], even), LOW(v[2], v[6]), LOW(v[1], v[3]), LOW(v[5], v[7]), few, shift, low);
  four(HIGH(v[0], even), HIGH(v[2], v[6]), HIGH(v[1], v[3]), HIGH(v[5], v[7]), few, shift, high);
  for (int x = 0; x < 8; x++) v[x] = wasm_i16x8_narrow_i32x4(low[x], high[x]);
}

static inline void transpose(v128_t v[8]) {
  v128_t a[8], b[8];
  for (int i = 0; i < 4; i++) a[2 * i] = LOW(v[2 * i], v[2 * i + 1]), a[2 * i + 1] = HIGH(v[2 * i], v[2 * i + 1]);
  for (int i = 0; i < 8; i += 4) {
    b[i] = LOW32(a[i], a[i + 2]), b[i + 1] = HIGH32(a[i], a[i + 2]);
    b[i + 2] = LOW32(a[i + 1], a[i + 3]), b[i + 3] = HIGH32(a[i + 1], a[i + 3]);
  }
  for (int i = 0; i < 4; i++) v[2 * i] = LOW64(b[i], b[i + 4]), v[2 * i + 1] = HIGH64(b[i], b[i + 4]);
}

static inline v128_t samples(v128_t a, v128_t b) {
  const v128_t centre = wasm_i16x8_const_splat(128);
  return wasm_u8x16_narrow_i16x8(wasm_i16x8_add(a, centre), wasm_i16x8_add(b, centre));
}

// The 64 samples of a block; 0 if one is off by 512 or more, which is looked at where `strict`.
static inline int inverse(const int16_t *block, int few, int strict, uint8_t *out, int32_t stride) {
  v128_t v[8];
  for (int i = 0; i < 8; i++) v[i] = i < 4 || !few ? wasm_v128_load(block + 8 * i) : wasm_i16x8_const_splat(0);
  transform(v, few, 11);
  transpose(v);
  transform(v, few, 18);
  if (strict) {
    v128_t most = v[0], least = v[0];
    for (int i = 1; i < 8; i++) most = wasm_i16x8_max(most, v[i]), least = wasm_i16x8_min(least, v[i]);
    v128_t off = wasm_v128_or(wasm_i16x8_gt(most, wasm_i16x8_const_splat(511)),
                              wasm_i16x8_lt(least, wasm_i16x8_const_splat(-512)));
    if (wasm_v128_any_true(off)) return 0;
  }
  v128_t a = samples(v[0], v[4]), b = samples(v[1], v[5]), c = samples(v[2], v[6]), d = samples(v[3], v[7]);
  v128_t ac = LOW8(a, c), bd = LOW8(b, d), ac4 = HIGH8(a, c), bd4 = HIGH8(b, d);
  v128_t left[2] = {LOW8(ac, bd), HIGH8(ac, bd)}, right[2] = {LOW8(ac4, bd4), HIGH8(ac4, bd4)};
  for (int i = 0; i < 2; i++, out += 4 * stride) {
    v128_t top = LOW32(left[i], right[i]), bottom = HIGH32(left[i], right[i]);
    wasm_v128_store64_lane(out, top, 0);
    wasm_v128_store64_lane(out + stride, top, 1);
    wasm_v128_store64_lane(out + 2 * stride, bottom, 0);
    wasm_v128_store64_lane(out + 3 * stride, bottom, 1);
  }
  return 1;
}
