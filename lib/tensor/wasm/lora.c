/* Linear layers with low-rank updates, and their gradients. */

/*
 * Masks are kept for the way back as bits: that of element j of a row is number j % 32 of word j / 32, 1 if the element was dropped. Read
 * in an EACH_FOUR by KEPT4, from the row's `words`, which are null without a mask; `bits` are what is left of a word.
 */
#define KEPT4(x, bits, words, scale)                                                              \
  ({                                                                                              \
    v128_t kept = x;                                                                              \
    if (words) {                                                                                  \
      if ((j & 31) == 0) bits = wasm_v128_load32_splat(words + j / 32);                           \
      kept = wasm_v128_andnot(wasm_f32x4_mul(kept, wasm_f32x4_splat(scale)), first_bits(bits));   \
      bits = wasm_u32x4_shr(bits, 4);                                                             \
    }                                                                                             \
    kept;                                                                                         \
  })
/* The lanes whose bits, the first four, are set. */
INLINE v128_t first_bits(v128_t bits) {
  const v128_t place = wasm_i32x4_const(1, 2, 4, 8);
  return wasm_i32x4_eq(wasm_v128_and(bits, place), place);
}

/* y = drop(x), elements from flat index `first` on; `words` are the mask. */
static NOINLINE void drop_row(int n, int first, const float *x, u32 seed, u32 limit, float scale, float *y, u32 *words) {
  const v128_t s = wasm_i32x4_splat((int)seed), l = wasm_i32x4_splat((int)limit), f = wasm_f32x4_splat(scale);
  v128_t spread = spread_indices(first);
  for (int i = 0; i < n; i += 32) {
    const float *const from = x + i;
    float *const to = y + i;
    u32 word = 0;
    EACH_FOUR(min_int(32, n - i), {
      const v128_t dropped = DROPPED4(HELD_AS, spread, s, l);
      store_four(to + j, wasm_v128_andnot(wasm_f32x4_mul(load_four(from + j, left), f), dropped), left);
      word |= wasm_i32x4_bitmask(dropped) << j;
      spread = wasm_i32x4_add(spread, HELD_AS(INTEGER(4 * SPREAD)));
    })
    words[i / 32] = word;
  }
}

#define LORA_ROWS 32   /* rows masked at a time */
#define LORA_TERMS 256 /* likewise, of a few columns */
#define TILE_FLOATS 6144 /* rows of x that stay in L1 for all of their columns: 24 KB, */
#define LEAST_TILE 16    /* or so many, which make up for fetching the sums */
/* Scratch of lora and of lora_grad_a. */
EXPORT(lora_scratch) int lora_scratch(int in, int out, int rank) { return 4 * (SCRATCH + LORA_TERMS * in + rank * out); }

/* sum over p of factors[p] lines[p], four columns. */
INLINE v128_t low_rank_sum(int rank, const float *factors, const float *lines, int n, int left) {
  v128_t sum = wasm_f32x4_mul(wasm_v128_load32_splat(factors), load_four(lines, left));
  for (int p = 1; p < rank; p++) sum = MADD(wasm_v128_load32_splat(factors + p), load_four(lines + p * n, left), sum);
  return sum;
}
/* The same for a rank of four, as most are, its factors at hand. */
#define FOUR_FACTORS(f, from)                                                                                     \
  const v128_t f##0 = wasm_v128_load32_splat(from), f##1 = wasm_v128_load32_splat((from) + 1),                    \
               f##2 = wasm_v128_load32_splat((from) + 2), f##3 = wasm_v128_load32_splat((from) + 3);
#define FOUR_SUM(f, l) MADD(f##3, l##3, MADD(f##2, l##2, MADD(f##1, l##1, wasm_f32x4_mul(f##0, l##0))))
#define FOUR_LINES(l, lines, n)                                                                                   \
  const v128_t l##0 = load_four((lines) + j, left), l##1 = load_four((lines) + (n) + j, left),                    \
               l##2 = load_four((lines) + 2 * (n) + j, left), l##3 = load_four((lines) + 3 * (n) + j, left);

static NOINLINE void lora_row(int n, int rank, const float *low, const float *lines, const float *bias, float *y) {
  EACH_FOUR(n, {
    const v128_t update = low_rank_sum(rank, low, lines + j, n, left);
    v128_t v = load_four(y + j, left);
    if (bias) v = wasm_f32x4_add(v, load_four(bias + j, left));
    store_four(y + j, wasm_f32x4_add(v, update), left);
  })
}
static NOINLINE void lora_two_rows(int n, const float *low, int stride, const float *lines, const float *bias, float *y) {
  FOUR_FACTORS(f, low)
  FOUR_FACTORS(g, low + stride)
  EACH_FOUR(n, {
    FOUR_LINES(l, lines, n)
    v128_t u = load_four(y + j, left), v = load_four(y + n + j, left);
    if (bias) {
      const v128_t b = load_four(bias + j, left);
      u = wasm_f32x4_add(u, b);
      v = wasm_f32x4_add(v, b);
    }
    store_four(y + j, wasm_f32x4_add(u, FOUR_SUM(f, l)), left);
    store_four(y + n + j, wasm_f32x4_add(v, FOUR_SUM(g, l)), left);
  })
}

/*
 * low = scaling drop(x) A'; y = (y + bias) + low B'. x [rows, in], A [rank, in], B [out, rank]. Rows of low and of the mask's `words` are
 * `stride` apart. Scratch: lora_scratch.
 */
EXPORT(lora)
void lora(int in, int out, int rank, const float *x, u32 seed, u32 limit, float scale, const float *a, const float *b,
          float scaling, const float *bias, float *low, u32 *words, int stride, float *y, int first, int rows,
          float *scratch) {
  float *const lines = scratch + SCRATCH, *const kept = lines + rank * out;
  for (int p = 0; p < rank; p++) {
    for (int j = 0; j < out; j++) lines[p * out + j] = b[j * rank + p];
  }
  for (int i = first, end; i < first + rows; i = end) {
    const int count = min_int(LORA_ROWS, first + rows - i);
    for (int r = 0; scale != 0 && r < count; r++) {
      drop_row(in, (i + r) * in, x + (i + r) * in, seed, limit, scale, kept + r * in, words + (i + r) * stride);
    }
    gemm(count, rank, in, scale == 0 ? x + i * in : kept, in, 1, a, 1, in, low + i * stride, stride, 0, scratch);
    end = i + count;
    for (int r = i; r < end; r++) {
      for (int p = 0; p < rank; p++) low[r * stride + p] *= scaling;
    }
    if (rank == 4) {
      for (; i + 2 <= end; i += 2) lora_two_rows(out, low + i * stride, stride, lines, bias, y + i * out);
    }
    for (; i < end; i++) lora_row(out, rank, low + i * stride, lines, bias, y + i * out);
  }
}

/* dlow = scaling dy B. */
EXPORT(lora_grad_low)
void lora_grad_low(int out, int rank, const float *dy, const float *b, float scaling, float *dlow, int stride, int first,
                   int rows, float *scratch) {
  gemm(rows, rank, out, dy + first * out, out, 1, b, rank, 1, dlow + first * stride, stride, 0, scratch);
  for (int i = first; i < first + rows; i++) {
    for (int p = 0; p < rank; p++) dlow[i * stride + p] *= scaling;
  }
}

/*
 * Eight columns of sums of four rows, `line` apart, go on for some rows of x: the products by four factors of each, also `apart`. `mask`: bits of
 * the columns, a byte of each row's words, which are `words` apart; null: none.
 */
static NOINLINE void four_sums_tile(int rows, int in, const float *factors, int apart, const float *x, const unsigned char *mask,
                                    int words, float scale, float *sums, int line) {
  const v128_t place0 = HELD_AS(wasm_i32x4_const(1, 2, 4, 8)), place1 = HELD_AS(wasm_i32x4_const(16, 32, 64, 128));
  const v128_t f = wasm_f32x4_splat(scale);
  float *const sums1 = sums + line, *const sums2 = sums1 + line, *const sums3 = sums2 + line;
  v128_t s00 = wasm_v128_load(sums), s01 = wasm_v128_load(sums + 4), s10 = wasm_v128_load(sums1), s11 = wasm_v128_load(sums1 + 4);
  v128_t s20 = wasm_v128_load(sums2), s21 = wasm_v128_load(sums2 + 4), s30 = wasm_v128_load(sums3), s31 = wasm_v128_load(sums3 + 4);
  for (int i = 0; i < rows; i++, x += in, factors += apart) {
    v128_t x0 = wasm_v128_load(x), x1 = wasm_v128_load(x + 4);
    if (mask) {
      const v128_t bits = wasm_v128_load8_splat(mask + i * words * 4);
      x0 = wasm_v128_andnot(wasm_f32x4_mul(x0, f), wasm_i32x4_eq(wasm_v128_and(bits, place0), place0));
      x1 = wasm_v128_andnot(wasm_f32x4_mul(x1, f), wasm_i32x4_eq(wasm_v128_and(bits, place1), place1));
    }
    const v128_t d = wasm_v128_load(factors);
    v128_t factor = LANE(d, 0);
    s00 = MADD(factor, x0, s00), s01 = MADD(factor, x1, s01);
    factor = LANE(d, 1);
    s10 = MADD(factor, x0, s10), s11 = MADD(factor, x1, s11);
    factor = LANE(d, 2);
    s20 = MADD(factor, x0, s20), s21 = MADD(factor, x1, s21);
    factor = LANE(d, 3);
    s30 = MADD(factor, x0, s30), s31 = MADD(factor, x1, s31);
  }
  wasm_v128_store(sums, s00), wasm_v128_store(sums + 4, s01), wasm_v128_store(sums1, s10), wasm_v128_store(sums1 + 4, s11);
  wasm_v128_store(sums2, s20), wasm_v128_store(sums2 + 4, s21), wasm_v128_store(sums3, s30), wasm_v128_store(sums3 + 4, s31);
}

/* The same for all of m rows and so many columns, eight or more whole eights, from zeros on: some rows at a time, which stay in the cache. */
static void four_sums(int m, int in, int columns, const float *factors, int apart, const float *x, const unsigned char *mask, int words,
                      float scale, float *sums, int line) {
  fill_rows(4, columns, sums, line, 0);
  const int terms = TILE_FLOATS / in < LEAST_TILE ? LEAST_TILE : TILE_FLOATS / in;
  for (int i = 0; i < m; i += terms) {
    for (int j = 0; j < columns; j += 8) {
      four_sums_tile(min_int(terms, m - i), in, factors + i * apart, apart, x + i * in + j, mask ? mask + i * words * 4 + j / 8 : 0, words,
                     scale, sums + j, line);
    }
  }
}
INLINE int is_for_four_sums(int rank, int first, int columns) { return rank == 4 && first % 8 == 0 && columns % 8 == 0; }

/* dB = dy' low, so many of its rows. Scratch: lora_scratch. */
EXPORT(lora_grad_b)
void lora_grad_b(int m, int out, int rank, const float *dy, const float *low, int stride, float *db, int first, int rows,
                 float *scratch) {
  if (is_for_four_sums(rank, first, rows)) {
    four_sums(m, out, rows, low, stride, dy + first, 0, 0, 0, scratch, rows);
    for (int j = 0; j < rows; j++) {
      for (int p = 0; p < 4; p++) db[(first + j) * 4 + p] = scratch[p * rows + j];
    }
    return;
  }
  gemm(rows, rank, m, dy + first, 1, out, low, stride, 1, db + first * rank, rank, 0, scratch);
}

/* y = drop(x), columns of a row from `first` on, wherever they begin. */
static NOINLINE void keep_columns(int columns, int first, const float *x, const u32 *words, float scale, float *y) {
  for (int j = first; j < first + columns; j++) *y++ = words[j / 32] >> (j & 31) & 1 ? 0 : x[j] * scale;
}

/*
 * dA = dlow' drop(x), so many of its columns; rows of the mask's words are `stride` apart, those of dlow `dlow_stride`. Scratch:
 * lora_scratch.
 */
EXPORT(lora_grad_a)
void lora_grad_a(int m, int in, int rank, const float *dlow, int dlow_stride, const float *x, const u32 *words, int stride,
                 float scale, float *da, int first, int columns, float *scratch) {
  if (is_for_four_sums(rank, first, columns)) {
    four_sums(m, in, columns, dlow, dlow_stride, x + first, words ? (const unsigned char *)words + first / 8 : 0, stride, scale,
              da + first, in);
    return;
  }
  if (m == 0) fill_rows(rank, columns, da + first, in, 0);
  float *const kept = scratch + SCRATCH;
  for (int i = 0; i < m; i += LORA_TERMS) {
    const int count = min_int(LORA_TERMS, m - i);
    for (int r = 0; words && r < count; r++) {
      keep_columns(columns, first, x + (i + r) * in, words + (i + r) * stride, scale, kept + r * columns);
    }
    gemm_panels(rank, columns, count, dlow + i * dlow_stride, 1, dlow_stride, words ? kept : x + i * in + first,
                words ? columns : in, 1, da + first, in, 0, i > 0, scratch);
  }
}

static NOINLINE void lora_grad_row(int in, int rank, const float *dlow, const float *a, const u32 *words, float scale,
                                   const float *product, float *dx) {
  v128_t bits = wasm_i32x4_const_splat(0);
  EACH_FOUR(in, {
    const v128_t update = KEPT4(low_rank_sum(rank, dlow, a + j, in, left), bits, words, scale);
    const v128_t v = wasm_f32x4_add(update, load_four(product + j, left));
    store_four(dx + j, product == dx ? v : wasm_f32x4_add(load_four(dx + j, left), v), left);
  })
}
static NOINLINE void lora_grad_row_of_four(int in, const float *dlow, const float *a, const u32 *words, float scale,
                                           const float *product, float *dx) {
  FOUR_FACTORS(f, dlow)
  v128_t bits = wasm_i32x4_const_splat(0);
  EACH_FOUR(in, {
    FOUR_LINES(l, a, in)
    const v128_t update = KEPT4(FOUR_SUM(f, l), bits, words, scale);
    const v128_t v = wasm_f32x4_add(update, load_four(product + j, left));
    store_four(dx + j, product == dx ? v : wasm_f32x4_add(load_four(dx + j, left), v), left);
  })
}
/* dx += drop(dlow A) + product; where dx is the product, dx = drop(dlow A) + dx. Strides as above. */
EXPORT(lora_grad_x)
void lora_grad_x(int in, int rank, const float *dlow, int dlow_stride, const float *a, const u32 *words, int stride,
                 float scale, const float *product, float *dx, int first, int rows) {
  for (int i = first; i < first + rows; i++) {
    const float *const d = dlow + i * dlow_stride, *const p = product + i * in;
    const u32 *const own = words ? words + i * stride : 0;
    if (rank == 4) lora_grad_row_of_four(in, d, a, own, scale, p, dx + i * in);
    else lora_grad_row(in, rank, d, a, own, scale, p, dx + i * in);
  }
}
