/*
 * The same products by the micro-kernel of matmul_strips.ts. B is packed in panels as wide as a strip; rows of A are read in
 * place, or in lines if A is transposed.
 */
#define WIDEST 48       /* columns of a strip at most */
#define CHUNK_DEPTH 96  /* terms of a chunk at most */
#define STRIP_ROWS 192    /* rows of A at a time: at most 576 KB, L2. A chunk of B is copied once for so many */
#define STRIP_COLUMNS 768 /* columns of B packed at a time: at most 2.3 MB, each float read once for STRIP_ROWS rows */
#define FEW_ROWS 384      /* up to so many are soon read again: fewer columns at a time, which stay in L2 */
#define FEW_COLUMNS 192
#define MOST_COLUMNS (STRIP_COLUMNS + WIDEST) /* where a few more are left */
#define STRIP_SCRATCH (KC * (MOST_COLUMNS + WIDEST) + KC * STRIP_ROWS + MOST_COLUMNS + STRIP_ROWS * WIDEST)
#define LEAST_ROWS 9 /* of fewer the panels of matmul_micro_kernel.c are faster */

/* Which set of strips there is (matmul_strips.ts), 0 for none: a wasm global, as there is no static data. */
static int strip_bits __attribute__((address_space(1)));
EXPORT(use_strips) void use_strips(int bits) { strip_bits = bits; }

/*
 * So many terms of a strip of C, its width in the name. b: a panel [depth][width]. a: rows, a_line bytes apart. Sums begin from the
 * rows at `from`, from_line bytes apart, and go to `to`.
 */
#define STRIP(width)                                                                                                   \
  __attribute__((import_module("strip"), import_name("strip_" #width))) void strip_##width(                           \
      const float *b, const float *a, int a_line, int rows, int depth, const float *from, int from_line, float *to, \
      int to_line);
STRIP(48) STRIP(32) STRIP(24) STRIP(20) STRIP(16) STRIP(8)

static void strip(int width, const float *b, const float *a, int a_line, int rows, int depth, const float *from,
                  int from_line, float *to, int to_line) {
#define CASE(w) \
  if (width == w) return strip_##w(b, a, a_line, rows, depth, from, from_line, to, to_line);
  CASE(24) CASE(48) CASE(20) CASE(16) CASE(8) CASE(32)
#undef CASE
}

/* The width of the next strip where so many of n columns are left: the least that holds them, but n at most. */
INLINE int strip_width(int left, int n) {
  if (left <= 8 || n < 16) return 8;
  if (left <= 16 || n < 20) return 16;
  if (strip_bits == 128) return left <= 20 || n < 24 ? 20 : 24;
  if (left <= 24 || n < 32) return n < 24 ? 16 : 24;
  if (left <= 32 || n < 48) return 32;
  return left <= 40 ? 24 : 48; /* 24 and 16 */
}

/* gemm of matmul.c, n >= 8. If n is no sum of widths, the last strip repeats some columns of the one before; then k <= KC. */
static void gemm_strips(int m, int n, int k, const float *a, int ars, int acs, const float *b, int brs, int bcs,
                        float *c, int ldc, const float *bias, float *scratch) {
  float *const packed_b = scratch, *const packed_a = packed_b + KC * (MOST_COLUMNS + WIDEST);
  float *const init = packed_a + KC * STRIP_ROWS, *const sums = init + MOST_COLUMNS;
  /* Blocks of equal size: a chunk of B is copied for each, however few rows it has. */
  const int blocks = (m + STRIP_ROWS - 1) / STRIP_ROWS, block = ((m + blocks - 1) / blocks + 5) / 6 * 6;
  const int columns = m <= FEW_ROWS ? FEW_COLUMNS : STRIP_COLUMNS;
  for (int jc = 0, nc; jc < n; jc += nc) {
    nc = n - jc <= columns + WIDEST ? n - jc : columns;
    fill_rows(1, nc, init, 0, bias ? bias + jc : 0);
    for (int pc = 0; pc < k; pc += KC) {
      const int kc = min_int(KC, k - pc), chunks = (kc + CHUNK_DEPTH - 1) / CHUNK_DEPTH;
      const int chunk = (kc + chunks - 1) / chunks;
      float *panel = packed_b;
      for (int j = 0, width; j < nc; j += width, panel += kc * width) {
        width = strip_width(nc - j, nc);
        pack_panel(b + pc * brs + (jc + min_int(j, nc - width)) * bcs, bcs, brs, width, kc, width, panel);
      }
      for (int ic = 0; ic < m; ic += block) {
        const int mc = min_int(block, m - ic);
        const float *rows = a + ic * ars + pc * acs;
        int line = ars;
        if (acs != 1) {
          pack_panel(rows, acs, ars, kc, mc, kc, packed_a);
          rows = packed_a, line = kc;
        }
        panel = packed_b;
        for (int j = 0, width; j < nc; j += width, panel += kc * width) {
          width = strip_width(nc - j, nc);
          const int column = min_int(j, nc - width);
          float *to = c + ic * ldc + jc + column;
          /* Between the first chunk and the last the sums stand in scratch: rows of C evict each other from L1. */
          for (int p = 0; p < kc; p += chunk) {
            const int depth = min_int(chunk, kc - p), last = p + depth == kc;
            const float *from = p ? sums : pc ? to : init + column;
            strip(width, panel + p * width, rows + p, 4 * line, mc, depth, from, p ? 4 * width : pc ? 4 * ldc : 0,
                  last ? to : sums, last ? 4 * ldc : 4 * width);
          }
        }
      }
    }
  }
}

/* gemm of matmul.c by whichever micro-kernel is faster: the bits are the same. */
static void gemm_wide(int m, int n, int k, const float *a, int ars, int acs, const float *b, int brs, int bcs, float *c,
                      int ldc, const float *bias, float *scratch) {
  const int n4 = k > KC ? n & ~7 : n;
  if (!strip_bits || m < LEAST_ROWS || n4 < 8) {
    gemm_panels(m, n, k, a, ars, acs, b, brs, bcs, c, ldc, bias, 0, scratch);
    return;
  }
  gemm_strips(m, n4, k, a, ars, acs, b, brs, bcs, c, ldc, bias, scratch);
  if (n4 < n) {
    gemm_panels(m, n - n4, k, a, ars, acs, b + n4 * bcs, brs, bcs, c + n4, ldc, bias ? bias + n4 : 0, 0, scratch);
  }
}
