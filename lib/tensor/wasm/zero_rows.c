/*
 * Products by a matrix many of whose rows are zeros, as gradients of tokens are that nobody reads: padding, and what no hyperedge
 * has chosen. Those rows are left out, which changes no bit where B is finite.
 */
#define GLANCES 32     /* rows that are looked at to begin with */
#define LEAST_ZEROS (blas_on ? 10 : 6) /* of them, from which on it pays */
#define MOST_USED 512      /* rows gathered at a time: B is packed anew for each such block */
#define LEAST_USED 64
#define USED_FLOATS 131072 /* half a megabyte, which stays in L2 */

/* Whether all numbers are 0 or -0, by their bits: NaN is no zero. */
static NOINLINE int is_zeros(int n, const float *x) {
  int j = 0;
  for (; j + 16 <= n; j += 16) {
    const v128_t a = wasm_v128_or(wasm_v128_load(x + j), wasm_v128_load(x + j + 4));
    const v128_t b = wasm_v128_or(wasm_v128_load(x + j + 8), wasm_v128_load(x + j + 12));
    if (wasm_v128_any_true(wasm_i32x4_shl(wasm_v128_or(a, b), 1))) return 0;
  }
  for (; j < n; j++) {
    if (x[j] != 0) return 0;
  }
  return 1;
}

/* Whether many of the rows of x [m, n] are zeros, by some of them: multiples of the golden ratio, as even steps could be whole samples. */
EXPORT(has_zero_rows) int has_zero_rows(int m, int n, const float *x) {
  int zeros = 0;
  for (u32 i = 0; i < GLANCES; i++) {
    const int row = (int)((unsigned long long)(i * 0x9E3779B1u) * (u32)m >> 32);
    zeros += is_zeros(n, x + row * n);
  }
  return zeros >= LEAST_ZEROS;
}

/*
 * The rows of x from `first` on that are not zeros, so many at most: runs of them, each from its first row to the one after its last.
 * Returns the row after the last that was looked at.
 */
static int find_runs(int n, const float *x, int first, int end, int most, int *runs, int *count) {
  int used = 0;
  *count = 0;
  while (first < end && used < most) {
    while (first < end && is_zeros(n, x + first * n)) first++;
    const int start = first;
    while (first < end && used < most && !is_zeros(n, x + first * n)) first++, used++;
    if (first == start) break;
    runs[2 * *count] = start;
    runs[2 * (*count)++ + 1] = first;
  }
  return first;
}

/* The rows of the runs one after the other. Returns how many. */
static int gather_runs(int n, const float *x, const int *runs, int count, float *gathered) {
  int rows = 0;
  for (int r = 0; r < count; r++) {
    const int start = runs[2 * r], length = runs[2 * r + 1] - start;
    __builtin_memcpy(gathered + rows * n, x + start * n, 4ul * length * n);
    rows += length;
  }
  return rows;
}

/* The way back, in place: `rows` rows of y from `first` on go to those of their runs, and up to `end` the others become zeros. */
static void spread_runs(int n, float *y, int first, int end, const int *runs, int count, int rows) {
  for (int r = count - 1; r >= 0; r--) {
    const int start = runs[2 * r], stop = runs[2 * r + 1];
    rows -= stop - start;
    __builtin_memset(y + stop * n, 0, 4ul * (end - stop) * n);
    __builtin_memmove(y + start * n, y + (first + rows) * n, 4ul * (stop - start) * n);
    end = start;
  }
  __builtin_memset(y + first * n, 0, 4ul * (end - first) * n);
}

/* Rows gathered at a time. */
static int most_used(int k) {
  const int fitting = USED_FLOATS / k;
  return blas_on || fitting > MOST_USED ? MOST_USED : fitting < LEAST_USED ? LEAST_USED : fitting;
}
EXPORT(matmul_used_scratch) int matmul_used_scratch(int k) { return 4 * (SCRATCH + LINE + most_used(k) * (k + 2)); }

/* C [m, n] = A [m, k] B [k, n], or B [n, k] if tb, so many rows. Scratch: matmul_used_scratch. */
EXPORT(matmul_used)
void matmul_used(int n, int k, const float *a, const float *b, int tb, float *c, int first, int rows, float *scratch) {
  const int most = most_used(k), end = first + rows;
  float *const gathered = whole_line(scratch + SCRATCH);
  int *const runs = (int *)(gathered + most * k);
  for (int next, count; first < end; first = next) {
    next = find_runs(k, a, first, end, most, runs, &count);
    const int used = gather_runs(k, a, runs, count, gathered);
    product(used, n, k, gathered, k, 1, b, tb ? 1 : n, tb ? k : 1, c + first * n, n, scratch);
    spread_runs(n, c, first, next, runs, count, used);
  }
}
