/*
 * C = A B (+ bias): packed panels, a register-blocked micro-kernel, blocking of K for the caches (Goto's scheme).
 *
 * Every output is one chain of multiply-adds, ascending in k, begun from the bias; a later block of K goes on from C. It
 * does not depend on the blocks, nor on the rows or columns computed in the same call, so splitting the work over threads
 * gives the same bits, as does the other micro-kernel (matmul_strips.c).
 *
 * Why 4 x 8 and loads as wide as possible: Deno's V8 checks the bounds of every access to memory (an addition and a
 * compare-and-branch each), so loads are the dear instructions. One load brings four elements of A, which shuffles then
 * spread; 8 sums, 2 vectors of B, A and its spread lane fit the 15 registers V8 leaves free. Measured, panels in L1,
 * relaxed SIMD, peak 42 GFLOP/s: 4 x 8 with shuffles 40.5, with broadcast loads 33, 6 x 8 28, each unrolled twice 28-30.
 *
 * Why blocks as deep as ViT-B is wide: each block of K reads and writes all of C, which for 1576 x 3072 is 19 MB. Measured,
 * GFLOP/s of [1576, 768] x [768, 3072]: KC 256 43, 384 47, 768 52; narrower sizes gain nothing and lose nothing.
 */
#define MR 4      /* rows of a tile */
#define NR 8      /* columns of a tile */
#define KC 768    /* depth of a block: a panel of B, KC x NR floats, is 24 KB and stays in L1 */
#define MC 64     /* rows of A packed at a time: 192 KB, L2 */
#define NC 256    /* columns of B packed at a time: 768 KB, L2 */

/* Loads a row of n sums. */
INLINE void load_row(const float *c, v128_t *lo, v128_t *hi, int n) {
  if (n == NR) {
    *lo = wasm_v128_load(c);
    *hi = wasm_v128_load(c + 4);
    return;
  }
  float t[NR];
  for (int j = 0; j < NR; j++) t[j] = j < n ? c[j] : 0;
  *lo = wasm_v128_load(t);
  *hi = wasm_v128_load(t + 4);
}

/* Stores a row of n sums. */
INLINE void store_row(float *c, v128_t lo, v128_t hi, int n) {
  if (n == NR) {
    wasm_v128_store(c, lo);
    wasm_v128_store(c + 4, hi);
    return;
  }
  float t[NR];
  wasm_v128_store(t, lo);
  wasm_v128_store(t + 4, hi);
  for (int j = 0; j < n; j++) c[j] = t[j];
}

#define LANE(v, i) wasm_i32x4_shuffle(v, v, i, i, i, i)

/*
 * One tile: a is a panel [k][MR], b a panel [k][NR] or rows of B in place, ldb apart; rows x n of it are stored. The first
 * block of K starts from init (bias or 0), the others (init null) from C.
 */
INLINE void tile(int k, const float *a, const float *b, const int ldb, float *c, int ldc, const float *init, int rows,
                 int n) {
  v128_t c00, c01;
  if (init) c00 = wasm_v128_load(init), c01 = wasm_v128_load(init + 4);
  else load_row(c, &c00, &c01, n);
  v128_t c10 = c00, c11 = c01, c20 = c00, c21 = c01, c30 = c00, c31 = c01;
  if (!init) {
    if (rows > 1) load_row(c + ldc, &c10, &c11, n);
    if (rows > 2) load_row(c + 2 * ldc, &c20, &c21, n);
    if (rows > 3) load_row(c + 3 * ldc, &c30, &c31, n);
  }
#ifdef __wasm_relaxed_simd__
#pragma clang loop unroll(disable)
#else
#pragma clang loop unroll_count(2)
#endif
  for (int p = 0; p < k; p++) {
    const v128_t av = wasm_v128_load(a), b0 = wasm_v128_load(b), b1 = wasm_v128_load(b + 4);
    a += MR;
    b += ldb;
    v128_t s = LANE(av, 0);
    c00 = MADD(s, b0, c00);
    c01 = MADD(s, b1, c01);
    s = LANE(av, 1);
    c10 = MADD(s, b0, c10);
    c11 = MADD(s, b1, c11);
    s = LANE(av, 2);
    c20 = MADD(s, b0, c20);
    c21 = MADD(s, b1, c21);
    s = LANE(av, 3);
    c30 = MADD(s, b0, c30);
    c31 = MADD(s, b1, c31);
  }
  store_row(c, c00, c01, n);
  if (rows > 1) store_row(c + ldc, c10, c11, n);
  if (rows > 2) store_row(c + 2 * ldc, c20, c21, n);
  if (rows > 3) store_row(c + 3 * ldc, c30, c31, n);
}

/* Functions of their own, not inlined: V8 optimises a function when it is called again, not while it runs. */
static NOINLINE void tile_panel(int k, const float *a, const float *b, float *c, int ldc, const float *init, int rows,
                                int n) {
  tile(k, a, b, NR, c, ldc, init, rows, n);
}
static NOINLINE void tile_in_place(int k, const float *a, const float *b, int ldb, float *c, int ldc, const float *init,
                                   int rows, int n) {
  tile(k, a, b, ldb, c, ldc, init, rows, n);
}

INLINE void transpose_4x4(const float *s, int lds, float *d, int ldd) {
  const v128_t r0 = wasm_v128_load(s), r1 = wasm_v128_load(s + lds), r2 = wasm_v128_load(s + 2 * lds),
               r3 = wasm_v128_load(s + 3 * lds);
  const v128_t a = wasm_i32x4_shuffle(r0, r1, 0, 4, 1, 5), b = wasm_i32x4_shuffle(r0, r1, 2, 6, 3, 7);
  const v128_t c = wasm_i32x4_shuffle(r2, r3, 0, 4, 1, 5), e = wasm_i32x4_shuffle(r2, r3, 2, 6, 3, 7);
  wasm_v128_store(d, wasm_i64x2_shuffle(a, c, 0, 2));
  wasm_v128_store(d + ldd, wasm_i64x2_shuffle(a, c, 1, 3));
  wasm_v128_store(d + 2 * ldd, wasm_i64x2_shuffle(b, e, 0, 2));
  wasm_v128_store(d + 3 * ldd, wasm_i64x2_shuffle(b, e, 1, 3));
}

/* Four lines of a matrix, k long and `line` apart, into columns of rows `width` apart. */
static NOINLINE void pack_transposed(const float *s, int line, int k, float *d, int width) {
  int p = 0;
  for (; p + 4 <= k; p += 4, s += 4, d += 4 * width) transpose_4x4(s, line, d, width);
  for (; p < k; p++, s++, d += width) d[0] = s[0], d[1] = s[line], d[2] = s[2 * line], d[3] = s[3 * line];
}

/* k rows of four or eight, `depth` apart, into rows `width` apart. */
static NOINLINE void pack_rows(const float *s, int depth, int k, int eight, float *d, int width) {
  if (eight) {
    for (int p = 0; p < k; p++, s += depth, d += width) {
      wasm_v128_store(d, wasm_v128_load(s));
      wasm_v128_store(d + 4, wasm_v128_load(s + 4));
    }
  } else {
    for (int p = 0; p < k; p++, s += depth, d += width) wasm_v128_store(d, wasm_v128_load(s));
  }
}

/*
 * Copies `count` of a matrix's lines, k long, into a panel: element (line i, depth p) to to[p * width + i], the rest of
 * the width zero. `line` is the distance between lines and `depth` the distance along k; one of them is 1.
 */
static NOINLINE void pack_panel(const float *from, int line, int depth, int count, int k, int width, float *to) {
  int i = 0;
  if (depth == 1) {
    for (; i + 4 <= count; i += 4) pack_transposed(from + i * line, line, k, to + i, width);
  } else if (line == 1) {
    for (; i + 8 <= count; i += 8) pack_rows(from + i, depth, k, 1, to + i, width);
    if (i + 4 <= count) pack_rows(from + i, depth, k, 0, to + i, width), i += 4;
  }
  for (; i < width; i++) {
    for (int p = 0; p < k; p++) to[p * width + i] = i < count ? from[i * line + p * depth] : 0;
  }
}

static NOINLINE void fill_rows(int m, int n, float *c, int ldc, const float *bias) {
  for (int i = 0; i < m; i++, c += ldc) {
    for (int j = 0; j < n; j++) c[j] = bias ? bias[j] : 0;
  }
}

/* The scratch of panels: packed B, packed A, the first value of each column (bias or 0). */
#define PANEL_SCRATCH (KC * NC + KC * MC + NC + NR)

/* gemm of matmul.c by panels of both. `onwards`: C holds the sums of earlier terms, bias among them, which go on. */
static void gemm_panels(int m, int n, int k, const float *a, int ars, int acs, const float *b, int brs, int bcs,
                        float *c, int ldc, const float *bias, int onwards, float *scratch) {
  float *const packed_b = scratch, *const packed_a = packed_b + KC * NC, *const init = packed_a + KC * MC;
  /* B is read in place where it is used for one or two tiles only: packing would cost more than it saves. */
  const int b_in_place = bcs == 1 && m <= 2 * MR;
  for (int jc = 0; jc < n; jc += NC) {
    const int nc = min_int(NC, n - jc);
    fill_rows(1, nc, init, 0, bias ? bias + jc : 0);
    for (int j = nc; j % NR; j++) init[j] = 0;
    for (int pc = 0; pc < k; pc += KC) {
      const int kc = min_int(KC, k - pc);
      const float *bb = b + pc * brs + jc * bcs;
      for (int j = 0; j < nc; j += NR) {
        if (!b_in_place || j + NR > nc) {
          pack_panel(bb + j * bcs, bcs, brs, min_int(NR, nc - j), kc, NR, packed_b + j * kc);
        }
      }
      for (int ic = 0; ic < m; ic += MC) {
        const int mc = min_int(MC, m - ic);
        for (int i = 0; i < mc; i += MR) {
          pack_panel(a + (ic + i) * ars + pc * acs, ars, acs, min_int(MR, mc - i), kc, MR, packed_a + i * kc);
        }
        for (int j = 0; j < nc; j += NR) {
          const int cols = min_int(NR, nc - j);
          for (int i = 0; i < mc; i += MR) {
            float *to = c + (ic + i) * ldc + jc + j;
            const float *ap = packed_a + i * kc, *first = pc || onwards ? 0 : init + j;
            if (b_in_place && cols == NR) tile_in_place(kc, ap, bb + j, brs, to, ldc, first, min_int(MR, mc - i), cols);
            else tile_panel(kc, ap, packed_b + j * kc, to, ldc, first, min_int(MR, mc - i), cols);
          }
        }
      }
    }
  }
}
