/*
 * The same products by the micro-kernel of matmul_wide.ts, which V8 can make 256-bit instructions of. A and B are packed as in
 * matmul_micro_kernel.c, in panels of 3 rows and of 24, 16 or 8 columns.
 */
#define WR 3
#define WN 24
#define WMC 192 /* rows of A packed at a time: 576 KB, L2. A chunk of B is copied once for so many */
#define WNC 768 /* columns of B packed at a time: 2.3 MB, each float read once for WMC rows. A is packed once for so many */
#define WIDE_SCRATCH (KC * WNC + KC * WMC + WNC + WMC * WN)

/* Whether V8 does (matmul_wide.ts): a wasm global, as there is no static data. */
static int wide_on __attribute__((address_space(1)));
EXPORT(use_wide) void use_wide(int on) { wide_on = on; }

/* Every width of a strip with every depth of a chunk, as in matmul_wide.ts. */
#define STRIPS(X)                                        \
  X(24, 96) X(24, 64) X(24, 48) X(24, 24) X(24, 8)       \
  X(16, 96) X(16, 64) X(16, 48) X(16, 24) X(16, 8)       \
  X(8, 96) X(8, 64) X(8, 48) X(8, 24) X(8, 8)

/*
 * So many terms of a strip of C, the width and the number of terms in the name. b: a panel [depth][width]. a: panels
 * [depth][WR], one after the other. Sums begin from the row `init` or, if that is null, from the rows at `from`, from_line
 * bytes apart, and go to `to`.
 */
#define STRIP(width, depth)                                                                                      \
  __attribute__((import_module("wide"), import_name("strip_" #width "_" #depth))) void strip_##width##_##depth( \
      const float *b, const float *a, int rows, const float *init, const float *from, int from_line, float *to, \
      int to_line);
STRIPS(STRIP)

/* Copies `count` lines, k long, into a panel [k][WR], the rest of it zero: see pack_panel. */
static NOINLINE void pack_rows(const float *from, int line, int depth, int count, int k, float *to) {
  int p = 0;
  if (count == WR && depth == 1) {
    for (; p + 4 <= k; p += 4, to += 4 * WR) {
      const v128_t u = wasm_v128_load(from + p), v = wasm_v128_load(from + line + p),
                   w = wasm_v128_load(from + 2 * line + p);
      const v128_t uv0 = wasm_i32x4_shuffle(u, v, 0, 4, 1, 5), vw1 = wasm_i32x4_shuffle(v, w, 1, 5, 2, 6),
                   uv3 = wasm_i32x4_shuffle(u, v, 3, 7, 3, 7);
      wasm_v128_store(to, wasm_i32x4_shuffle(uv0, w, 0, 1, 4, 2));
      wasm_v128_store(to + 4, wasm_i32x4_shuffle(vw1, u, 0, 1, 6, 2));
      wasm_v128_store(to + 8, wasm_i32x4_shuffle(w, uv3, 2, 4, 5, 3));
    }
  } else if (count == WR && line == 1) {
    /* The fourth float is overwritten by the next line's first. */
    for (; p + 1 < k; p++, to += WR) wasm_v128_store(to, wasm_v128_load(from + p * depth));
  }
  for (; p < k; p++, to += WR) {
    for (int i = 0; i < WR; i++) to[i] = i < count ? from[i * line + p * depth] : 0;
  }
}

static void strip(int width, int depth, const float *b, const float *a, int rows, const float *init,
                  const float *from, int from_line, float *to, int to_line) {
#define CASE(w, d) \
  if (width == w && depth == d) strip_##w##_##d(b, a, rows, init, from, from_line, to, to_line);
  STRIPS(CASE)
#undef CASE
}

/* The deepest chunk of so many terms or fewer, a multiple of 8. */
INLINE int chunk_depth(int k) { return k >= 96 ? 96 : k >= 64 ? 64 : k >= 48 ? 48 : k >= 24 ? 24 : 8; }

/* gemm of matmul.c, n and k multiples of 8. */
static void gemm_strips(int m, int n, int k, const float *a, int ars, int acs, const float *b, int brs, int bcs,
                        float *c, int ldc, const float *bias, float *scratch) {
  float *const packed_b = scratch, *const packed_a = packed_b + KC * WNC, *const init = packed_a + KC * WMC;
  float *const sums = init + WNC;
  /* Blocks of equal size: a chunk of B is copied for each, however few rows it has. */
  const int blocks = (m + WMC - 1) / WMC, block = ((m + blocks - 1) / blocks + WR - 1) / WR * WR;
  for (int jc = 0; jc < n; jc += WNC) {
    const int nc = min_int(WNC, n - jc);
    fill_rows(1, nc, init, 0, bias ? bias + jc : 0);
    for (int pc = 0; pc < k; pc += KC) {
      const int kc = min_int(KC, k - pc);
      for (int j = 0, width; j < nc; j += width) {
        const float *from = b + pc * brs + (jc + j) * bcs;
        width = min_int(WN, nc - j);
        if (width == 24) pack_panel(from, bcs, brs, 24, kc, 24, packed_b + j * kc);
        else if (width == 16) pack_panel(from, bcs, brs, 16, kc, 16, packed_b + j * kc);
        else pack_panel(from, bcs, brs, 8, kc, 8, packed_b + j * kc);
      }
      for (int ic = 0; ic < m; ic += block) {
        const int mc = min_int(block, m - ic), mr = (mc + WR - 1) / WR * WR;
        const float *from = a + ic * ars + pc * acs;
        for (int p = 0, depth; p < kc; p += depth) {
          depth = chunk_depth(kc - p);
          for (int i = 0; i < mc; i += WR) {
            pack_rows(from + i * ars + p * acs, ars, acs, min_int(WR, mc - i), depth, packed_a + p * mr + i * depth);
          }
        }
        for (int j = 0, width; j < nc; j += width) {
          float *to = c + ic * ldc + jc + j;
          width = min_int(WN, nc - j);
          /* Between the first chunk and the last the sums stand in scratch: rows of C evict each other from L1. */
          for (int p = 0, depth; p < kc; p += depth) {
            const int last = p + (depth = chunk_depth(kc - p)) == kc;
            strip(width, depth, packed_b + j * kc + p * width, packed_a + p * mr, mc, pc || p ? 0 : init + j,
                  p ? sums : to, p ? 4 * width : 4 * ldc, last ? to : sums, last ? 4 * ldc : 4 * width);
          }
        }
      }
    }
  }
}

/* gemm of matmul.c by whichever micro-kernel is faster: the bits are the same. */
static void gemm_wide(int m, int n, int k, const float *a, int ars, int acs, const float *b, int brs, int bcs, float *c,
                      int ldc, const float *bias, float *scratch) {
  const int n8 = n & ~7, k8 = k & ~7;
  if (!wide_on || m < 4 * WR || k8 == 0 || n8 < (k8 < 64 ? 24 : 16)) {
    gemm_panels(m, n, k, a, ars, acs, b, brs, bcs, c, ldc, bias, 0, scratch);
    return;
  }
  gemm_strips(m, n8, k8, a, ars, acs, b, brs, bcs, c, ldc, bias, scratch);
  if (k8 < k) {
    gemm_panels(m, n8, k - k8, a + k8 * acs, ars, acs, b + k8 * brs, brs, bcs, c, ldc, 0, 1, scratch);
  }
  if (n8 < n) {
    gemm_panels(m, n - n8, k, a, ars, acs, b + n8 * bcs, brs, bcs, c + n8, ldc, bias ? bias + n8 : 0, 0, scratch);
  }
}
