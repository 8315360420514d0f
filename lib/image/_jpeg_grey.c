// One grey scan of a sequential Huffman JPEG of 8 bits, a row of blocks at a time (ITU-T T.81, annex F). Whatever an encoder does
// not write (a code that is none, a coefficient too many or too large, bytes missing or left over) is answered by 0: libjpeg then
// has the word.
#include "_jpeg_inverse.c"
#include <stdint.h>
#include <wasm_simd128.h>

#define LOOK 11           // bits looked up at once
#define END_OF_BLOCK 128  // a run past every block
#define LARGEST 5800      // sum of a block's dequantised coefficients, up to which 16 bits hold every intermediate value
#define MODEST 2100       // the sum up to which no sample can be off by 512, where libjpeg's table of limits ends

typedef struct {
  uint16_t symbol[1 << LOOK]; // length << 8 | symbol; 0: a longer code
  uint32_t limit[17];         // of each length: the first 16 bits above its codes
  int32_t shift[17];          // of each length: place of a code's symbol, less the code
  const uint8_t *symbols;
} Codes;

static const uint8_t NATURAL[64] = {
  0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7, 14, 21, 28,
  35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63,
};

static struct {
  Codes dc, ac;
  int32_t whole[1 << LOOK]; // an AC code with its bits: value << 16 | run << 8 | bits in all; 0: looked up in `ac`
  struct { int16_t place, quantisation; } to[64 + 1 + END_OF_BLOCK]; // where the k-th coefficient goes, and its factor
  const uint8_t *scan, *end; // what is not yet cleaned
  uint8_t *clean;            // the bytes of an interval without stuffing, backwards: the first one lies here
  const uint8_t *next;       // the first of them not in `bits`
  uint64_t bits;             // from the top
  int32_t count, cleaned;
  int32_t interval, left, number; // blocks between restarts, those up to the next, restarts so far
  int32_t previous;          // DC
} s;

// Codes in order of length (annex C). The all-ones code is none.
static int codes_of(Codes *codes, const uint8_t *counts) {
  uint32_t code = 0;
  int32_t symbol = 0;
  codes->symbols = counts + 16;
  for (int i = 0; i < 1 << LOOK; i++) codes->symbol[i] = 0;
  for (int length = 1; length <= 16; length++) {
    codes->shift[length] = symbol - (int32_t)code;
    for (int k = 0; k < counts[length - 1]; k++, code++, symbol++) {
      if (length > LOOK) continue;
      uint32_t from = code << (LOOK - length), to = (code + 1) << (LOOK - length);
      if (to > 1 << LOOK) return 0;
      for (uint32_t i = from; i < to; i++) codes->symbol[i] = length << 8 | codes->symbols[symbol];
    }
    if (code >= 1u << length) return 0;
    codes->limit[length] = code << (16 - length);
    code <<= 1;
  }
  return 1;
}

static inline int32_t extended(uint32_t bits, int32_t size) {
  return bits < 1u << (size - 1) ? (int32_t)bits - (1 << size) + 1 : (int32_t)bits;
}

static void whole_codes(void) {
  for (uint32_t i = 0; i < 1 << LOOK; i++) {
    int32_t code = s.ac.symbol[i], length = code >> 8, run = code >> 4 & 15, size = code & 15, bits = length + size;
    s.whole[i] = 0;
    if (length == 0 || bits > LOOK) continue;
    if (size > 0) s.whole[i] = extended(i >> (LOOK - bits) & ((1 << size) - 1), size) * 65536 + (run << 8 | bits);
    else s.whole[i] = (run == 15 ? 15 : END_OF_BLOCK) << 8 | bits;
  }
}

// The bytes up to the next marker, without the zeros stuffed after ff, backwards from s.clean.
static void clean_interval(void) {
  const v128_t marker = wasm_i8x16_const_splat(-1);
  uint8_t *to = s.clean;
  while (s.scan < s.end) {
    int32_t n = 0;
    if (s.scan + 16 <= s.end) {
      v128_t v = wasm_v128_load(s.scan);
      wasm_v128_store(to - 15, wasm_i8x16_shuffle(v, v, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0));
      uint32_t found = wasm_i8x16_bitmask(wasm_i8x16_eq(v, marker));
      n = found ? __builtin_ctz(found) : 16;
      s.scan += n;
      to -= n;
      if (!found) continue;
    }
    if (*s.scan == 0xff) {
      if (s.scan + 1 == s.end || s.scan[1] != 0) break;
      s.scan++;
      *to-- = 0xff;
    } else *to-- = *s.scan;
    s.scan++;
  }
  s.cleaned = s.clean - to;
  s.next = s.clean;
  s.bits = 0;
  s.count = 0;
  s.previous = 0;
  s.left = s.interval;
}

// Whether an interval's codes took its bytes and no more; less than a byte of padding may be left.
static int is_spent(void) {
  int32_t left = 8 * (s.cleaned - (int32_t)(s.clean - s.next)) + s.count;
  return left >= 0 && left < 8;
}

// A code longer than what is looked up: length << 8 | symbol, or 0.
static int32_t long_code(const Codes *codes, uint64_t bits) {
  uint32_t ahead = bits >> 48;
  for (int length = LOOK + 1; length <= 16; length++) {
    if (ahead < codes->limit[length]) return length << 8 | codes->symbols[(int32_t)(ahead >> (16 - length)) + codes->shift[length]];
  }
  return 0;
}

// Takes up a scan of `size` bytes, given its tables: factors in the order of the stream; of each kind of code 16 counts and the
// symbols. `clean` has room for `size` bytes, 64 above them and 512 below. Returns 0 if a table is not as it must be.
int32_t begin(const uint8_t *scan, int32_t size, const uint8_t *dc, const uint8_t *ac, const uint16_t *quantisation,
              int32_t interval, uint8_t *clean) {
  if (!codes_of(&s.dc, dc) || !codes_of(&s.ac, ac)) return 0;
  whole_codes();
  for (int k = 0; k < 65 + END_OF_BLOCK; k++) {
    s.to[k].place = k < 64 ? NATURAL[k] : 64;
    s.to[k].quantisation = k < 64 ? quantisation[k] : 0;
    if (k < 64 && (quantisation[k] == 0 || quantisation[k] > 2047)) return 0;
  }
  s.scan = scan;
  s.end = scan + size;
  s.clean = clean + 512 + size;
  s.interval = interval;
  s.number = 0;
  clean_interval();
  return 1;
}

// The next row of `across` blocks, eight lines `stride` apart; 0 if the stream is not as it must be.
static int row(int32_t across, uint8_t *out, int32_t stride) {
  int16_t block[72];
  for (int i = 0; i < 72; i += 8) wasm_v128_store(block + i, wasm_i16x8_const_splat(0));
  const uint8_t *next = s.next, *floor = s.clean - s.cleaned - 16;
  uint64_t bits = s.bits;
  int32_t count = s.count, previous = s.previous;
#define REFILL() (bits |= *(const uint64_t __attribute__((aligned(1))) *)(next - 7) >> count, next -= (63 - count) >> 3, count |= 56)
#define TAKE(n) (bits <<= (n), count -= (n))
  for (int32_t x = 0; x < across; x++, out += 8) {
    if (s.interval > 0 && s.left-- == 0) {
      s.next = next, s.count = count;
      if (!is_spent() || s.scan + 2 > s.end || s.scan[1] != 0xd0 + (s.number++ & 7)) return 0;
      s.scan += 2;
      clean_interval();
      next = s.next, bits = s.bits, count = s.count, previous = s.previous, floor = s.clean - s.cleaned - 16;
      s.left--;
    }
    REFILL();
    int32_t code = s.dc.symbol[bits >> (64 - LOOK)];
    if (code == 0 && (code = long_code(&s.dc, bits)) == 0) return 0;
    TAKE(code >> 8);
    int32_t size = code & 255;
    if (size > 11) return 0;
    if (size > 0) {
      previous += extended(bits >> (64 - size), size);
      TAKE(size);
    }
    int32_t mean = previous * s.to[0].quantisation;
    uint32_t sum = mean < 0 ? -mean : mean;
    int32_t k = 1, last = 0;
    while (k < 64) {
      if (count < 32) REFILL();
      int32_t entry = s.whole[bits >> (64 - LOOK)], value;
      if (entry != 0) {
        TAKE(entry & 255);
        k += entry >> 8 & 255;
        value = entry >> 16;
      } else {
        code = s.ac.symbol[bits >> (64 - LOOK)];
        if (code == 0 && (code = long_code(&s.ac, bits)) == 0) return 0;
        TAKE(code >> 8);
        int32_t run = code >> 4 & 15;
        size = code & 15;
        if (size > 11) return 0;
        k += size > 0 || run == 15 ? run : END_OF_BLOCK;
        value = 0;
        if (size > 0) {
          value = extended(bits >> (64 - size), size);
          TAKE(size);
        }
      }
      int32_t coefficient = value * s.to[k].quantisation;
      block[s.to[k].place] = coefficient;
      sum += coefficient < 0 ? -coefficient : coefficient;
      if (k < 64) last = k;
      k++;
    }
    if ((k > 64 && k <= END_OF_BLOCK) || sum > LARGEST || next < floor) return 0;
    if (last == 0) {
      int32_t sample = ((mean + 4) >> 3) + 128;
      if (sample < -384 || sample > 639) return 0;
      v128_t eight = wasm_i8x16_splat(sample < 0 ? 0 : sample > 255 ? 255 : sample);
      for (int y = 0; y < 8; y++) wasm_v128_store64_lane(out + y * stride, eight, 0);
      continue;
    }
    block[0] = mean;
    int is_whole = last < 10 ? inverse(block, 1, sum > MODEST, out, stride) : inverse(block, 0, sum > MODEST, out, stride);
    if (!is_whole) return 0;
    for (int i = 0; i < 64; i += 8) wasm_v128_store(block + i, wasm_i16x8_const_splat(0));
  }
  s.next = next, s.bits = bits, s.count = count, s.previous = previous;
  return 1;
}

// The next `count` rows of `across` blocks: 8 * count lines of 8 * across samples.
int32_t rows(int32_t count, int32_t across, uint8_t *out) {
  for (; count > 0; count--, out += 64 * across) {
    if (!row(across, out, 8 * across)) return 0;
  }
  return 1;
}

// Whether the scan ends where its last block does.
int32_t is_over(void) { return is_spent() && s.scan == s.end; }
