#include "CLAPACK.h"

#include <math.h>
#include <stdlib.h>

#if defined(__APPLE__)
#define ACCELERATE_NEW_LAPACK
#include <Accelerate/Accelerate.h>
#define LAPACK_dsyevd dsyevd_
#define LAPACK_dsbevd dsbevd_
#define LAPACK_dstevd dstevd_
#define LAPACK_dgesdd dgesdd_
#define LAPACK_dpotrf dpotrf_
#define LAPACK_dpotrs dpotrs_
#define LAPACK_dgetrf dgetrf_
#define LAPACK_dgetrs dgetrs_
typedef __LAPACK_int lapack_index;
#else
#include <cblas.h>
#include <lapack.h>
typedef lapack_int lapack_index;
#endif

_Static_assert(sizeof(lapack_index) == sizeof(int32_t), "LAPACK of 64-bit indices");

static enum CBLAS_TRANSPOSE operation(bool transposed) {
  return transposed ? CblasTrans : CblasNoTrans;
}

void cl_sgemv(bool transposed, int32_t rows, int32_t columns, float alpha, const float *a,
              int32_t lda, const float *x, float beta, float *y) {
  cblas_sgemv(CblasColMajor, operation(transposed), rows, columns, alpha, a, lda, x, 1, beta, y,
              1);
}

void cl_dgemv(bool transposed, int32_t rows, int32_t columns, double alpha, const double *a,
              int32_t lda, const double *x, double beta, double *y) {
  cblas_dgemv(CblasColMajor, operation(transposed), rows, columns, alpha, a, lda, x, 1, beta, y,
              1);
}

void cl_sgemm(bool transposed_a, bool transposed_b, int32_t m, int32_t n, int32_t k, float alpha,
              const float *a, int32_t lda, const float *b, int32_t ldb, float beta, float *c,
              int32_t ldc) {
  cblas_sgemm(CblasColMajor, operation(transposed_a), operation(transposed_b), m, n, k, alpha, a,
              lda, b, ldb, beta, c, ldc);
}

void cl_dgemm(bool transposed_a, bool transposed_b, int32_t m, int32_t n, int32_t k, double alpha,
              const double *a, int32_t lda, const double *b, int32_t ldb, double beta, double *c,
              int32_t ldc) {
  cblas_dgemm(CblasColMajor, operation(transposed_a), operation(transposed_b), m, n, k, alpha, a,
              lda, b, ldb, beta, c, ldc);
}

void cl_saxpy(int32_t n, float a, const float *x, float *y) { cblas_saxpy(n, a, x, 1, y, 1); }
void cl_daxpy(int32_t n, double a, const double *x, double *y) { cblas_daxpy(n, a, x, 1, y, 1); }
void cl_sscal(int32_t n, float a, float *x) { cblas_sscal(n, a, x, 1); }
void cl_dscal(int32_t n, double a, double *x) { cblas_dscal(n, a, x, 1); }

// Not cblas_dsdot: OpenBLAS sums blocks of it in single precision.
double cl_sdot(int32_t n, const float *x, const float *y) {
  double sums[8] = {0};
  int32_t i = 0;
  for (; i + 8 <= n; i += 8)
    for (int lane = 0; lane < 8; lane++) sums[lane] += (double)x[i + lane] * (double)y[i + lane];
  for (; i < n; i++) sums[0] += (double)x[i] * (double)y[i];
  return ((sums[0] + sums[1]) + (sums[2] + sums[3])) + ((sums[4] + sums[5]) + (sums[6] + sums[7]));
}

double cl_ddot(int32_t n, const double *x, const double *y) { return cblas_ddot(n, x, 1, y, 1); }

double cl_snrm2(int32_t n, const float *x) { return sqrt(cl_sdot(n, x, x)); }
double cl_dnrm2(int32_t n, const double *x) { return cblas_dnrm2(n, x, 1); }

// Blocks without a branch, which take a fraction of the time: a difference from itself is 0 for finite numbers alone.
int64_t cl_sfirst_nonfinite(int64_t n, const float *x) {
  int64_t i = 0;
  for (; i + 64 <= n; i += 64) {
    float sums[8] = {0};
    for (int block = 0; block < 64; block += 8)
      for (int lane = 0; lane < 8; lane++)
        sums[lane] += x[i + block + lane] - x[i + block + lane];
    float sum = 0;
    for (int lane = 0; lane < 8; lane++) sum += sums[lane];
    if (sum != 0) break;
  }
  for (; i < n; i++)
    if (!isfinite(x[i])) return i;
  return -1;
}

int64_t cl_dfirst_nonfinite(int64_t n, const double *x) {
  int64_t i = 0;
  for (; i + 64 <= n; i += 64) {
    double sums[8] = {0};
    for (int block = 0; block < 64; block += 8)
      for (int lane = 0; lane < 8; lane++)
        sums[lane] += x[i + block + lane] - x[i + block + lane];
    double sum = 0;
    for (int lane = 0; lane < 8; lane++) sum += sums[lane];
    if (sum != 0) break;
  }
  for (; i < n; i++)
    if (!isfinite(x[i])) return i;
  return -1;
}

static const int32_t no_memory = -1000;

// The reduction of dsyevd multiplies by symmetric matrices, which OpenBLAS hands to all its threads whatever their
// size: its last digits depend on how many there are. Small matrices take the one for bands, by rotations alone.
static const int32_t most_by_rotations = 64;

static int32_t eigensystem_by_rotations(bool vectors, int32_t n, double *a, double *values) {
  char job = vectors ? 'V' : 'N', triangle = 'L';
  lapack_index order = n, width = n - 1, info = 0;
  lapack_index work_size = 1 + 5 * n + 2 * n * n, index_size = 3 + 5 * n;
  double *work = malloc(((size_t)work_size + (size_t)n * n) * sizeof(double));
  lapack_index *indices = malloc((size_t)index_size * sizeof(lapack_index));
  if (work && indices) {
    double *band = work + work_size;
    for (int32_t column = 0; column < n; column++)
      for (int32_t row = column; row < n; row++)
        band[row - column + column * n] = a[row + column * n];
    LAPACK_dsbevd(&job, &triangle, &order, &width, band, &order, values, a, &order, work,
                  &work_size, indices, &index_size, &info);
  } else {
    info = no_memory;
  }
  free(work);
  free(indices);
  return (int32_t)info;
}

int32_t cl_dsyevd(bool vectors, int32_t n, double *a, double *values) {
  if (n <= most_by_rotations) return eigensystem_by_rotations(vectors, n, a, values);
  char job = vectors ? 'V' : 'N', triangle = 'L';
  lapack_index order = n, work_size = -1, index_size = -1, info = 0, best_index = 0;
  double best = 0;
  LAPACK_dsyevd(&job, &triangle, &order, a, &order, values, &best, &work_size, &best_index,
                &index_size, &info);
  if (info != 0) return (int32_t)info;
  work_size = (lapack_index)best;
  index_size = best_index;
  double *work = malloc((size_t)work_size * sizeof(double));
  lapack_index *indices = malloc((size_t)index_size * sizeof(lapack_index));
  if (work && indices) {
    LAPACK_dsyevd(&job, &triangle, &order, a, &order, values, work, &work_size, indices,
                  &index_size, &info);
  } else {
    info = no_memory;
  }
  free(work);
  free(indices);
  return (int32_t)info;
}

int32_t cl_dstevd(bool vectors, int32_t n, double *diagonal, double *off_diagonal, double *z) {
  char job = vectors ? 'V' : 'N';
  lapack_index order = n, work_size = -1, index_size = -1, info = 0, best_index = 0;
  double best = 0;
  LAPACK_dstevd(&job, &order, diagonal, off_diagonal, z, &order, &best, &work_size, &best_index,
                &index_size, &info);
  if (info != 0) return (int32_t)info;
  work_size = (lapack_index)best;
  index_size = best_index;
  double *work = malloc((size_t)work_size * sizeof(double));
  lapack_index *indices = malloc((size_t)index_size * sizeof(lapack_index));
  if (work && indices) {
    LAPACK_dstevd(&job, &order, diagonal, off_diagonal, z, &order, work, &work_size, indices,
                  &index_size, &info);
  } else {
    info = no_memory;
  }
  free(work);
  free(indices);
  return (int32_t)info;
}

int32_t cl_dgesdd_values(int32_t m, int32_t n, double *a, double *values) {
  char job = 'N';
  lapack_index rows = m, columns = n, one = 1, work_size = -1, info = 0;
  double best = 0, unused = 0;
  size_t smaller = (size_t)(m < n ? m : n);
  lapack_index *indices = malloc(8 * (smaller ? smaller : 1) * sizeof(lapack_index));
  if (!indices) return no_memory;
  LAPACK_dgesdd(&job, &rows, &columns, a, &rows, values, &unused, &one, &unused, &one, &best,
                &work_size, indices, &info);
  if (info == 0) {
    work_size = (lapack_index)best;
    double *work = malloc((size_t)work_size * sizeof(double));
    if (work) {
      LAPACK_dgesdd(&job, &rows, &columns, a, &rows, values, &unused, &one, &unused, &one, work,
                    &work_size, indices, &info);
    } else {
      info = no_memory;
    }
    free(work);
  }
  free(indices);
  return (int32_t)info;
}

#if !defined(__APPLE__)
extern void dpotf2_(
    const char *, const lapack_index *, double *, const lapack_index *, lapack_index *, size_t);
#endif

int32_t cl_dpotrf(int32_t n, double *a) {
  char triangle = 'L';
  lapack_index order = n, info = 0;
#if !defined(__APPLE__)
  // Without blocks: OpenBLAS hands the products of blocks to all its threads, and with their number, which the
  // process may change at any time, the last bits change.
  if (n <= 256) {
    dpotf2_(&triangle, &order, a, &order, &info, 1);
    return (int32_t)info;
  }
#endif
  LAPACK_dpotrf(&triangle, &order, a, &order, &info);
  return (int32_t)info;
}

int32_t cl_dpotrs(int32_t n, const double *factor, double *x) {
  char triangle = 'L';
  lapack_index order = n, one = 1, info = 0;
  LAPACK_dpotrs(&triangle, &order, &one, factor, &order, x, &order, &info);
  return (int32_t)info;
}

int32_t cl_dgetrf(int32_t n, double *a, int32_t *pivots) {
  lapack_index order = n, info = 0;
  LAPACK_dgetrf(&order, &order, a, &order, (lapack_index *)pivots, &info);
  return (int32_t)info;
}

int32_t cl_dgetrs(bool transposed, int32_t n, const double *factors, const int32_t *pivots,
                  double *x) {
  char form = transposed ? 'T' : 'N';
  lapack_index order = n, one = 1, info = 0;
  LAPACK_dgetrs(&form, &order, &one, factors, &order, (const lapack_index *)pivots, x, &order,
                &info);
  return (int32_t)info;
}

#if defined(__APPLE__)

// Accelerate schedules its own threads.
void cl_set_threads(int32_t count) { (void)count; }
int32_t cl_get_threads(void) { return 0; }
const char *cl_description(void) { return "Accelerate"; }

#else

// Weak, so that another BLAS can stand in for OpenBLAS.
extern void openblas_set_num_threads(int) __attribute__((weak));
extern int openblas_get_num_threads(void) __attribute__((weak));
extern char *openblas_get_config(void) __attribute__((weak));

void cl_set_threads(int32_t count) {
  if (openblas_set_num_threads) openblas_set_num_threads(count);
}

int32_t cl_get_threads(void) { return openblas_get_num_threads ? openblas_get_num_threads() : 0; }

const char *cl_description(void) {
  return openblas_get_config ? openblas_get_config() : "BLAS (vendor unknown)";
}

#endif
