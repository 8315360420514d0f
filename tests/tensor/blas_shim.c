// A BLAS library for blas_refused_test.ts, right unless told otherwise: INTEGER its integers, SCALE a factor of every product,
// TRANSPOSED_SCALE one of those with B transposed, BATCH_SCALE one of batches (there are none without it).
#ifndef INTEGER
#define INTEGER int
#endif
#ifndef SCALE
#define SCALE 1.0f
#endif
#ifndef TRANSPOSED_SCALE
#define TRANSPOSED_SCALE 1.0f
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
