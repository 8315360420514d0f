/*
 * Matrix products: LoRA's narrow ones as dot products, all others by matmul_strips.c or, where they are small or the engine has not got
 * what that needs, by matmul_micro_kernel.c.
 */
#define NARROW 4 /* outputs of up to so many columns (LoRA's rank) are computed as dot products */
#define NARROW_KC 2048
#define NARROW_ROWS 512

/* Scratch of gemm: of panels or strips, then a small result. */
#define GEMM_SCRATCH (STRIP_SCRATCH > PANEL_SCRATCH ? STRIP_SCRATCH : PANEL_SCRATCH)
#define SCRATCH (GEMM_SCRATCH + NARROW * NARROW_ROWS)
EXPORT(gemm_scratch) int gemm_scratch(void) { return SCRATCH * 4; }

/* The sums of 2 rows of A with 4 lines of B, all contiguous along k. t [2][4]. */
static NOINLINE void dot_2x4(int k, const float *a0, const float *a1, const float *b0, const float *b1, const float *b2,
                             const float *b3, float *t) {
  v128_t s00 = wasm_f32x4_const_splat(0), s01 = s00, s02 = s00, s03 = s00, s10 = s00, s11 = s00, s12 = s00, s13 = s00;
  int p = 0;
  /* Two at a time: V8 asks at the end of each turn of a loop whether it is to stop. */
#pragma clang loop unroll_count(2)
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
    float *t = scratch + GEMM_SCRATCH;
    for (int i0 = 0; i0 < m; i0 += NARROW_ROWS) {
      const int w = min_int(NARROW_ROWS, m - i0);
      gemm_panels(n, w, k, b, bcs, brs, a + i0, acs, 1, t, w, 0, 0, scratch);
      for (int r = 0; r < w; r++) {
        for (int j = 0; j < n; j++) c[(i0 + r) * ldc + j] = (bias ? bias[j] : 0) + t[j * w + r];
      }
    }
  } else {
    gemm_wide(m, n, k, a, ars, acs, b, brs, bcs, c, ldc, bias, scratch);
  }
}

/* alpha op(A) op(B) by a library, on this thread alone (blas.ts). Whether there is one is a wasm global, as there is no static data. */
__attribute__((import_module("blas"), import_name("sgemm"))) void blas_sgemm(int ta, int tb, int m, int n, int k,
                                                                             float alpha, const float *a, int lda,
                                                                             const float *b, int ldb, float *c, int ldc);
static int blas_on __attribute__((address_space(1)));
EXPORT(use_blas) void use_blas(int on) { blas_on = on; }
#define LEAST_BLAS_TERMS 70000 /* as many multiply-adds are worth a call out of wasm: a head of 49 tokens took .65 of its time */
INLINE int is_by_library(int m, int n, int k) { return blas_on && (double)m * n * k >= LEAST_BLAS_TERMS; }

/* The first cache line from here: a library's last bits could depend on where in a line a thread's scratch begins. */
INLINE float *whole_line(float *p) { return (float *)(((u32)p + 63) & ~63u); }
#define LINE 16 /* floats */

/* gemm without a bias, by the library where that is worth it. */
static void product(int m, int n, int k, const float *a, int ars, int acs, const float *b, int brs, int bcs, float *c,
                    int ldc, float *scratch) {
  if (is_by_library(m, n, k)) {
    blas_sgemm(acs != 1, bcs != 1, m, n, k, 1, a, acs == 1 ? ars : acs, b, bcs == 1 ? brs : bcs, c, ldc);
  } else {
    gemm(m, n, k, a, ars, acs, b, brs, bcs, c, ldc, 0, scratch);
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
      gemm_wide(rows, columns, k, am, ta ? 1 : k, ta ? m : 1, bm, tb ? 1 : n, tb ? k : 1, cm, n, bias0, scratch);
    } else {
      gemm(rows, columns, k, am, ta ? 1 : k, ta ? m : 1, bm, tb ? 1 : n, tb ? k : 1, cm, n, bias0, scratch);
    }
  }
}
