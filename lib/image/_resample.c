// Pillow's two passes over 8-bit samples, with 128-bit vectors. A weight w of 23 bits goes as (high << 11) + low, both of 16
// bits, so that eight products are summed by one instruction; sums wrap in 32 bits as Pillow's do, and so are the same.
#include <stdint.h>
#include <wasm_simd128.h>

#define HALF (1u << 21)

static inline uint8_t clip8(int32_t sum) {
  int32_t value = sum >> 22;
  return value < 0 ? 0 : value > 255 ? 255 : value;
}

static inline int32_t total(v128_t high, v128_t low) {
  v128_t sum = wasm_i32x4_add(wasm_i32x4_shl(high, 11), low);
  sum = wasm_i32x4_add(sum, wasm_i32x4_shuffle(sum, sum, 2, 3, 0, 1));
  return HALF + wasm_i32x4_extract_lane(sum, 0) + wasm_i32x4_extract_lane(sum, 1);
}

// Every `channels`-th byte of a row, so that a channel's samples follow each other.
static void channel(const uint8_t *row, int32_t length, int32_t channels, uint8_t *out) {
  for (int32_t i = 0; i < length; i++) out[i] = row[i * channels];
}

static void planes3(const uint8_t *row, int32_t length, int32_t stride, uint8_t *out) {
  int32_t i = 0;
  for (; i + 16 <= length; i += 16) {
    v128_t a = wasm_v128_load(row + 3 * i), b = wasm_v128_load(row + 3 * i + 16), c = wasm_v128_load(row + 3 * i + 32);
    v128_t red = wasm_i8x16_shuffle(a, b, 0, 3, 6, 9, 12, 15, 18, 21, 24, 27, 30, 0, 0, 0, 0, 0);
    v128_t green = wasm_i8x16_shuffle(a, b, 1, 4, 7, 10, 13, 16, 19, 22, 25, 28, 31, 0, 0, 0, 0, 0);
    v128_t blue = wasm_i8x16_shuffle(a, b, 2, 5, 8, 11, 14, 17, 20, 23, 26, 29, 0, 0, 0, 0, 0, 0);
    red = wasm_i8x16_shuffle(red, c, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 17, 20, 23, 26, 29);
    green = wasm_i8x16_shuffle(green, c, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 18, 21, 24, 27, 30);
    blue = wasm_i8x16_shuffle(blue, c, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 16, 19, 22, 25, 28, 31);
    wasm_v128_store(out + i, red);
    wasm_v128_store(out + stride + i, green);
    wasm_v128_store(out + 2 * stride + i, blue);
  }
  for (int32_t c = 0; c < 3; c++) channel(row + 3 * i + c, length - i, 3, out + c * stride + i);
}

// Four lines that share their windows; results are `step` apart.
static void four(const uint8_t *const from[4], const int32_t *first, const int32_t *steps, const int16_t *weights,
                 int32_t taps, int32_t count, uint8_t *const to[4], int32_t step) {
  for (int32_t i = 0; i < count; i++) {
    const int16_t *high = weights + 2 * i * taps, *low = high + taps;
    v128_t highs[4], lows[4];
    for (int r = 0; r < 4; r++) highs[r] = lows[r] = wasm_i32x4_const_splat(0);
    for (int32_t k = 0; k < 8 * steps[i]; k += 8) {
      v128_t upper = wasm_v128_load(high + k), lower = wasm_v128_load(low + k);
      for (int r = 0; r < 4; r++) {
        v128_t samples = wasm_u16x8_load8x8(from[r] + first[i] + k);
        highs[r] = wasm_i32x4_add(highs[r], wasm_i32x4_dot_i16x8(samples, upper));
        lows[r] = wasm_i32x4_add(lows[r], wasm_i32x4_dot_i16x8(samples, lower));
      }
    }
    for (int r = 0; r < 4; r++) to[r][i * step] = clip8(total(highs[r], lows[r]));
  }
}

// Lines of `channels` samples a position, `along` positions: each becomes `count` positions. Window i begins at first[i] and has
// steps[i] times eight taps, the last of them of weight 0; weights are `taps` apart, high ones before low ones. `plane` has room
// for `channels` lines of `stride` bytes; a vector may reach past the end of a line, and of `input`.
void across(const uint8_t *input, int32_t lines, int32_t along, int32_t channels, const int32_t *first,
            const int32_t *steps, const int16_t *weights, int32_t taps, int32_t count, uint8_t *plane, int32_t stride,
            uint8_t *out) {
  for (int32_t y = 0; y < lines; y += channels == 3 ? 1 : 4) {
    const uint8_t *from[4];
    uint8_t *to[4];
    if (channels == 3) planes3(input + 3 * y * along, along, stride, plane);
    for (int r = 0; r < 4; r++) { // there may be fewer than four: the last one is then made more than once
      int32_t c = r < 3 ? r : 2, line = y + r < lines ? y + r : lines - 1;
      from[r] = channels == 3 ? plane + c * stride : input + line * along;
      to[r] = channels == 3 ? out + 3 * y * count + c : out + line * count;
    }
    four(from, first, steps, weights, taps, count, to, channels);
  }
}

static inline v128_t weighted(v128_t pairs, v128_t high, v128_t low, v128_t sum) {
  v128_t coarse = wasm_i32x4_shl(wasm_i32x4_dot_i16x8(pairs, high), 11);
  return wasm_i32x4_add(sum, wasm_i32x4_add(coarse, wasm_i32x4_dot_i16x8(pairs, low)));
}

// One line from `length` lines of `inner` samples; `weights` has an even number of them, high ones before low ones.
void down(const uint8_t *input, int32_t length, int32_t inner, const int16_t *weights, int32_t taps, uint8_t *out) {
  const int16_t *low = weights + taps;
  int32_t x = 0;
  for (; x + 16 <= inner; x += 16) {
    v128_t a = wasm_i32x4_const_splat(HALF), b = a, c = a, d = a;
    for (int32_t k = 0; k < length; k += 2) {
      const uint8_t *from = input + k * inner + x;
      v128_t one = wasm_v128_load(from);
      v128_t two = k + 1 < length ? wasm_v128_load(from + inner) : one; // its weight is 0
      v128_t left = wasm_i8x16_shuffle(one, two, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
      v128_t right = wasm_i8x16_shuffle(one, two, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
      v128_t high = wasm_v128_load32_splat(weights + k), lows = wasm_v128_load32_splat(low + k);
      a = weighted(wasm_u16x8_extend_low_u8x16(left), high, lows, a);
      b = weighted(wasm_u16x8_extend_high_u8x16(left), high, lows, b);
      c = weighted(wasm_u16x8_extend_low_u8x16(right), high, lows, c);
      d = weighted(wasm_u16x8_extend_high_u8x16(right), high, lows, d);
    }
    v128_t left = wasm_i16x8_narrow_i32x4(wasm_i32x4_shr(a, 22), wasm_i32x4_shr(b, 22));
    v128_t right = wasm_i16x8_narrow_i32x4(wasm_i32x4_shr(c, 22), wasm_i32x4_shr(d, 22));
    wasm_v128_store(out + x, wasm_u8x16_narrow_i16x8(left, right));
  }
  for (; x < inner; x++) {
    uint32_t sum = HALF;
    for (int32_t k = 0; k < length; k++) sum += input[k * inner + x] * (((int32_t)weights[k] << 11) + low[k]);
    out[x] = clip8(sum);
  }
}
