/*
 * C = A B (+ bias): packed panels, a register-blocked micro-kernel, blocking of K for the caches (Goto's scheme).
 *
 * Every output is summed in one order: ascending k inside a block of KC, then block by block. It does not depend on the
 * rows or columns computed in the same call, so splitting them over threads gives the same bits.
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
#define NARROW 4  /* outputs of up to so many columns (LoRA's rank) are computed as dot products */
#define NARROW_KC 2048

/* Scratch of gemm: packed B, packed A, the first value of each column (bias or 0), and a small result. */
#define SCRATCH_B (KC * NC)
#define SCRATCH_A (KC * MC)
#define SCRATCH_T (NARROW * 512)
#define SCRATCH (SCRATCH_B + SCRATCH_A + NC + NR + SCRATCH_T)
EXPORT(gemm_scratch) int gemm_scratch(void) { return SCRATCH * 4; }

/* Stores a row of sums, added to what stands there unless this is the first block of K. */
INLINE void store_row(float *c, v128_t lo, v128_t hi, int first, int n) {
  if (n == NR) {
    if (!first) {
      lo = wasm_f32x4_add(wasm_v128_load(c), lo);
      hi = wasm_f32x4_add(wasm_v128_load(c + 4), hi);
    }
    wasm_v128_store(c, lo);
    wasm_v128_store(c + 4, hi);
    return;
  }
  float t[NR];
  wasm_v128_store(t, lo);
  wasm_v128_store(t + 4, hi);
  for (int j = 0; j < n; j++) c[j] = first ? t[j] : c[j] + t[j];
}

#define LANE(v, i) wasm_i32x4_shuffle(v, v, i, i, i, i)

/*
 * One tile: a is a panel [k][MR], b a panel [k][NR] or rows of B in place, ldb apart; rows x n of it are stored. The first
 * block of K starts from init (bias or 0), the others (init null) from 0 and are added to C.
 */
INLINE void tile(int k, const float *a, const float *b, const int ldb, float *c, int ldc, const float *init, int rows,
                 int n) {
  v128_t c00 = wasm_f32x4_const_splat(0), c01 = c00;
  const int first = init != 0;
  if (first) c00 = wasm_v128_load(init), c01 = wasm_v128_load(init + 4);
  v128_t c10 = c00, c11 = c01, c20 = c00, c21 = c01, c30 = c00, c31 = c01;
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
  store_row(c, c00, c01, first, n);
  if (rows > 1) store_row(c + ldc, c10, c11, first, n);
  if (rows > 2) store_row(c + 2 * ldc, c20, c21, first, n);
  if (rows > 3) store_row(c + 3 * ldc, c30, c31, first, n);
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

/*
 * Copies `count` of a matrix's lines, k long, into a panel: element (line i, depth p) to to[p * width + i], the rest of
 * the width zero. `line` is the distance between lines and `depth` the distance along k; one of them is 1.
 */
static NOINLINE void pack_panel(const float *from, int line, int depth, int count, int k, const int width, float *to) {
  int p = 0;
  if (count == width && line == 1) {
    for (; p < k; p++, from += depth, to += width) {
      wasm_v128_store(to, wasm_v128_load(from));
      if (width == 8) wasm_v128_store(to + 4, wasm_v128_load(from + 4));
    }
    return;
  }
  if (count == width && depth == 1) {
    for (; p + 4 <= k; p += 4) {
      transpose_4x4(from + p, line, to + p * width, width);
      if (width == 8) transpose_4x4(from + p + 4 * line, line, to + p * width + 4, width);
    }
  }
  for (; p < k; p++) {
    for (int i = 0; i < width; i++) to[p * width + i] = i < count ? from[i * line + p * depth] : 0;
  }
}

static NOINLINE void fill_rows(int m, int n, float *c, int ldc, const float *bias) {
  for (int i = 0; i < m; i++, c += ldc) {
    for (int j = 0; j < n; j++) c[j] = bias ? bias[j] : 0;
  }
}

/* The sums of 2 rows of A with 4 lines of B, all contiguous along k. t [2][4]. */
static NOINLINE void dot_2x4(int k, const float *a0, const float *a1, const float *b0, const float *b1, const float *b2,
                             const float *b3, float *t) {
  v128_t s00 = wasm_f32x4_const_splat(0), s01 = s00, s02 = s00, s03 = s00, s10 = s00, s11 = s00, s12 = s00, s13 = s00;
  int p = 0;
#pragma clang loop unroll(disable)
  for (; p + 4 <= k; p += 4) {
    const v128_t u = wasm_v128_load(a0 + p), v = wasm_v128_load(a1 + p);
    v128_t b = wasm_v128_load(b0 + p);
    s00 = MADD(u, b, s00);
    s10 = MADD(v, b, s10);
    b = wasm_v128_load(b1 + p);
    s01 = MADD(u, b, s01);
    s11 = MADD(v, b, s11);
    b = wasm_v128_load(b2 + p);
    s02 = MADD(u, b, s02);
    s12 = MADD(v, b, s12);
    b = wasm_v128_load(b3 + p);
    s03 = MADD(u, b, s03);
    s13 = MADD(v, b, s13);
  }
  t[0] = horizontal_sum(s00), t[1] = horizontal_sum(s01), t[2] = horizontal_sum(s02), t[3] = horizontal_sum(s03);
  t[4] = horizontal_sum(s10), t[5] = horizontal_sum(s11), t[6] = horizontal_sum(s12), t[7] = horizontal_sum(s13);
  for (; p < k; p++) {
    t[0] += a0[p] * b0[p], t[1] += a0[p] * b1[p], t[2] += a0[p] * b2[p], t[3] += a0[p] * b3[p];
    t[4] += a1[p] * b0[p], t[5] += a1[p] * b1[p], t[6] += a1[p] * b2[p], t[7] += a1[p] * b3[p];
  }
}

/* n <= 4 columns, A contiguous along k. C's element (i, j) is c[i * crs + j * ccs]; bias along j (strides as C's). */
static void gemm_narrow(int m, int n, int k, const float *a, int lda, const float *b, int brs, int bcs, float *c,
                        int crs, int ccs, const float *row_bias, const float *col_bias, float *scratch) {
  float t[8];
  for (int pc = 0; pc < k; pc += NARROW_KC) {
    const int kc = min_int(NARROW_KC, k - pc);
    const float *line[NARROW];
    for (int j = 0; j < NARROW; j++) {
      const int jj = min_int(j, n - 1); /* columns past the end repeat the last one and are not stored */
      line[j] = b + pc + jj * bcs;
      if (brs != 1) {
        line[j] = scratch + jj * NARROW_KC;
        if (j == jj) {
          for (int p = 0; p < kc; p++) scratch[j * NARROW_KC + p] = b[(pc + p) * brs + j * bcs];
        }
      }
    }
    for (int i = 0; i < m; i += 2) {
      const float *a0 = a + i * lda + pc, *a1 = i + 1 < m ? a0 + lda : a0;
      dot_2x4(kc, a0, a1, line[0], line[1], line[2], line[3], t);
      for (int r = 0; r < 2 && i + r < m; r++) {
        for (int j = 0; j < n; j++) {
          float *to = c + (i + r) * crs + j * ccs;
          *to = (pc ? *to : (row_bias ? row_bias[i + r] : 0) + (col_bias ? col_bias[j] : 0)) + t[4 * r + j];
        }
      }
    }
  }
}

/* The general form of gemm, below: packed panels of both. */
static void gemm_panels(int m, int n, int k, const float *a, int ars, int acs, const float *b, int brs, int bcs,
                        float *c, int ldc, const float *bias, float *scratch) {
  float *const packed_b = scratch, *const packed_a = packed_b + SCRATCH_B, *const init = packed_a + SCRATCH_A;
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
            const float *ap = packed_a + i * kc, *first = pc ? 0 : init + j;
            if (b_in_place && cols == NR) tile_in_place(kc, ap, bb + j, brs, to, ldc, first, min_int(MR, mc - i), cols);
            else tile_panel(kc, ap, packed_b + j * kc, to, ldc, first, min_int(MR, mc - i), cols);
          }
        }
      }
    }
  }
}

/*
 * C [m, n] = A [m, k] B [k, n] + bias [n]. Element (i, p) of A is a[i * ars + p * acs], of B b[p * brs + j * bcs]; one
 * stride of each is 1. bias may be null. The choice of the method does not depend on m, so that rows can be split.
 */
static void gemm(int m, int n, int k, const float *a, int ars, int acs, const float *b, int brs, int bcs, float *c,
                 int ldc, const float *bias, float *scratch) {
  if (k <= 0) {
    fill_rows(m, n, c, ldc, bias);
  } else if (n <= NARROW && acs == 1) {
    gemm_narrow(m, n, k, a, ars, b, brs, bcs, c, ldc, 1, 0, bias, scratch);
  } else if (n <= NARROW) {
    /* A is contiguous along m: C' = B' A' reads it in place, some columns of C' at a time. */
    float *t = scratch + SCRATCH_B + SCRATCH_A + NC + NR;
    for (int i0 = 0; i0 < m; i0 += 512) {
      const int w = min_int(512, m - i0);
      gemm_panels(n, w, k, b, bcs, brs, a + i0, acs, 1, t, w, 0, scratch);
      for (int r = 0; r < w; r++) {
        for (int j = 0; j < n; j++) c[(i0 + r) * ldc + j] = (bias ? bias[j] : 0) + t[j * w + r];
      }
    }
  } else {
    gemm_panels(m, n, k, a, ars, acs, b, brs, bcs, c, ldc, bias, scratch);
  }
}

/* Which dimension `first` and `count` of matmul are of. */
#define OF_BATCH 0
#define OF_ROWS 1
#define OF_COLUMNS 2 /* of more than NARROW columns only: the choice of the method must not depend on the part */

/*
 * Batched matmul. Matrix i of the result uses A's matrix ia[i] and B's ib[i], which is how broadcast batch dimensions
 * are expressed; null means i itself. A is [m, k], or [k, m] if ta; B is [k, n], or [n, k] if tb. bias [n] or null.
 * Only a part is computed: `count` matrices, or rows or columns of each, from `first` on.
 */
EXPORT(matmul)
void matmul(int part, int batch, int m, int n, int k, const float *a, int ta, const int *ia, const float *b, int tb,
            const int *ib, const float *bias, float *c, int first, int count, float *scratch) {
  const int i0 = part == OF_BATCH ? first : 0, i1 = part == OF_BATCH ? first + count : batch;
  const int row = part == OF_ROWS ? first : 0, rows = part == OF_ROWS ? count : m;
  const int column = part == OF_COLUMNS ? first : 0, columns = part == OF_COLUMNS ? count : n;
  const float *const bias0 = bias ? bias + column : 0;
  for (int i = i0; i < i1; i++) {
    const float *am = a + (ia ? ia[i] : i) * m * k + (ta ? row : row * k);
    const float *bm = b + (ib ? ib[i] : i) * k * n + (tb ? column * k : column);
    float *cm = c + i * m * n + row * n + column;
    if (m <= NARROW && tb && k > 0) {
      /* Few rows: C' = B A' with B's lines in place. */
      gemm_narrow(columns, rows, k, bm, k, am, ta ? m : 1, ta ? 1 : k, cm, 1, n, bias0, 0, scratch);
    } else if (part == OF_COLUMNS && k > 0) {
      gemm_panels(rows, columns, k, am, ta ? 1 : k, ta ? m : 1, bm, tb ? 1 : n, tb ? k : 1, cm, n, bias0, scratch);
    } else {
      gemm(rows, columns, k, am, ta ? 1 : k, ta ? m : 1, bm, tb ? 1 : n, tb ? k : 1, cm, n, bias0, scratch);
    }
  }
}
