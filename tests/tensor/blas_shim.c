// A BLAS library for blas_refused_test.ts, right unless told otherwise: INTEGER its integers, SCALE a factor of every product,
// TRANSPOSED_SCALE one of those with B transposed, BATCH_SCALE one of batches (there are none without it), EXP_SCALE
// one of exponentials, PACKED_SCALE one of products by packed weights, likewise; SUMS_SCALE one of a row's sum, GREATEST what is added to
// the place of the greatest number.
#ifndef INTEGER
#define INTEGER int
#endif
#ifndef SCALE
#define SCALE 1.0f
#endif
#ifndef TRANSPOSED_SCALE
#define TRANSPOSED_SCALE 1.0f
#endif
#ifndef SUMS_SCALE
#define SUMS_SCALE 1.0f
#endif
#ifndef GREATEST
#define GREATEST 0
#endif

static void multiply(float scale, int ta, int tb, INTEGER m, INTEGER n, INTEGER k, const float *a, INTEGER lda,
                     const float *b, INTEGER ldb, float beta, float *c, INTEGER ldc) {
  for (INTEGER i = 0; i < m; i++) {
    for (INTEGER j = 0; j < n; j++) {
      double sum = 0;
      for (INTEGER p = 0; p < k; p++) {
        sum += (double)a[ta == 112 ? p * lda + i : i * lda + p] * b[tb == 112 ? j * ldb + p : p * ldb + j];
      }
      if (tb == 112) sum *= TRANSPOSED_SCALE;
      c[i * ldc + j] = (beta == 0 ? 0 : beta * c[i * ldc + j]) + scale * (float)sum;
    }
  }
}

void cblas_sgemm(int layout, int ta, int tb, INTEGER m, INTEGER n, INTEGER k, float alpha, const float *a, INTEGER lda,
                 const float *b, INTEGER ldb, float beta, float *c, INTEGER ldc) {
  multiply(alpha * SCALE, ta, tb, m, n, k, a, lda, b, ldb, beta, c, ldc);
}

void cblas_sgemv(int layout, int ta, INTEGER m, INTEGER n, float alpha, const float *a, INTEGER lda, const float *x,
                 INTEGER dx, float beta, float *y, INTEGER dy) {
  multiply(alpha * SUMS_SCALE, ta, 111, m, 1, n, a, lda, x, dx, beta, y, dy);
}

unsigned long cblas_isamax(INTEGER n, const float *x, INTEGER dx) {
  INTEGER greatest = 0;
  for (INTEGER i = 1; i < n; i++) {
    if (__builtin_fabsf(x[i * dx]) > __builtin_fabsf(x[greatest * dx])) greatest = i;
  }
  return greatest + GREATEST;
}

#ifdef BATCH_SCALE
void cblas_sgemm_batch(int layout, const int *ta, const int *tb, const INTEGER *m, const INTEGER *n, const INTEGER *k,
                       const float *alpha, const float **a, const INTEGER *lda, const float **b, const INTEGER *ldb,
                       const float *beta, float **c, const INTEGER *ldc, INTEGER groups, const INTEGER *sizes) {
  for (INTEGER g = 0, i = 0; g < groups; g++) {
    for (INTEGER end = i + sizes[g]; i < end; i++) {
      multiply(alpha[g] * BATCH_SCALE, ta[g], tb[g], m[g], n[g], k[g], a[i], lda[g], b[i], ldb[g], beta[g], c[i], ldc[g]);
    }
  }
}
#endif

#ifdef EXP_SCALE
float expf(float);
void vmsExp(int n, const float *x, float *y, long long mode) {
  for (int i = 0; i < n; i++) y[i] = EXP_SCALE * expf(x[i]);
}
#endif

#ifdef PACKED_SCALE
// Weights packed as [k, n]; a product by them is PACKED_SCALE times what it should be.
static char arena[1 << 24];
static unsigned long used;
void *MKL_malloc(unsigned long bytes, int alignment) {
  char *place = arena + used;
  used += (bytes + alignment - 1) / alignment * alignment;
  return used <= sizeof arena ? place : 0;
}
void MKL_free(void *place) {}

unsigned long cblas_sgemm_pack_get_size(int which, int m, int n, int k) { return 4ul * n * k; }

void cblas_sgemm_pack(int layout, int which, int form, int m, int n, int k, float alpha, const float *b, int ldb,
                      float *packed) {
  for (int p = 0; p < k; p++) {
    for (int j = 0; j < n; j++) packed[p * n + j] = alpha * b[form == 112 ? j * ldb + p : p * ldb + j];
  }
}

void cblas_sgemm_compute(int layout, int ta, int tb, int m, int n, int k, const float *a, int lda, const float *packed,
                         int ldb, float beta, float *c, int ldc) {
  multiply(PACKED_SCALE, ta, 111, m, n, k, a, lda, packed, n, beta, c, ldc);
}
#endif
