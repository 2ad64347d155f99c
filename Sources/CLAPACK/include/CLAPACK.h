#ifndef EIGENSTEP_CLAPACK_H
#define EIGENSTEP_CLAPACK_H
#if defined(__APPLE__)
#define ACCELERATE_NEW_LAPACK
#include <Accelerate/Accelerate.h>
#else
#include <cblas.h>
#include <lapacke.h>
#endif
#endif
