#ifndef EIGENSTEP_CLAPACK_H
#define EIGENSTEP_CLAPACK_H

#include <stdbool.h>
#include <stdint.h>

// Stable names over the platform's BLAS and LAPACK (OpenBLAS on Linux, Accelerate on macOS), so
// that Swift sees one interface. Matrices are column-major; `int32_t` is LAPACK's own index type.

void cl_sgemv(bool transposed, int32_t rows, int32_t columns, float alpha, const float *a,
              int32_t lda, const float *x, float beta, float *y);
void cl_dgemv(bool transposed, int32_t rows, int32_t columns, double alpha, const double *a,
              int32_t lda, const double *x, double beta, double *y);
void cl_sgemm(bool transposed_a, bool transposed_b, int32_t m, int32_t n, int32_t k, float alpha,
              const float *a, int32_t lda, const float *b, int32_t ldb, float beta, float *c,
              int32_t ldc);
void cl_dgemm(bool transposed_a, bool transposed_b, int32_t m, int32_t n, int32_t k, double alpha,
              const double *a, int32_t lda, const double *b, int32_t ldb, double beta, double *c,
              int32_t ldc);
void cl_saxpy(int32_t n, float a, const float *x, float *y);
void cl_daxpy(int32_t n, double a, const double *x, double *y);
void cl_sscal(int32_t n, float a, float *x);
void cl_dscal(int32_t n, double a, double *x);

// Inner product of floats, accumulated in double.
double cl_sdot(int32_t n, const float *x, const float *y);
double cl_ddot(int32_t n, const double *x, const double *y);
double cl_snrm2(int32_t n, const float *x);
double cl_dnrm2(int32_t n, const double *x);

// First index that holds NaN or an infinity, or -1.
int64_t cl_sfirst_nonfinite(int64_t n, const float *x);
int64_t cl_dfirst_nonfinite(int64_t n, const double *x);

// Each returns LAPACK's info: 0 on success, -1000 when no workspace could be allocated.
int32_t cl_dsyevd(bool vectors, int32_t n, double *a, double *values);
int32_t cl_dstevd(bool vectors, int32_t n, double *diagonal, double *off_diagonal, double *z);
int32_t cl_dgesdd_values(int32_t m, int32_t n, double *a, double *values);
// The lower triangle in place; info > 0 where the matrix is not positive definite.
int32_t cl_dpotrf(int32_t n, double *a);
// Solves one system with the factor from `cl_dpotrf`, in place.
int32_t cl_dpotrs(int32_t n, const double *factor, double *x);
// Factors a general matrix with row exchanges, in place; info > 0 where it is singular.
int32_t cl_dgetrf(int32_t n, double *a, int32_t *pivots);
// Solves one system with the factors from `cl_dgetrf`, in place.
int32_t cl_dgetrs(bool transposed, int32_t n, const double *factors, const int32_t *pivots,
                  double *x);

void cl_set_threads(int32_t count);
int32_t cl_get_threads(void);
const char *cl_description(void);

#endif
