// The part of ONNX Runtime's C interface that Eigenstep calls, written down by position.
//
// `libonnxruntime` exports one function, OrtGetApiBase. The table it hands out is an array of
// function pointers whose order never changes, so a slot number and a signature are all that is
// needed: no header of ONNX Runtime's is compiled in. Each function below fetches its slot, casts
// it and calls it. Every `OrtStatus *` returned is null for success and else owned by the caller.
#ifndef EIGENSTEP_ONNX_RUNTIME_H
#define EIGENSTEP_ONNX_RUNTIME_H

#include <stddef.h>
#include <stdint.h>

typedef struct OrtStatus OrtStatus;
typedef struct OrtEnv OrtEnv;
typedef struct OrtSession OrtSession;
typedef struct OrtSessionOptions OrtSessionOptions;
typedef struct OrtRunOptions OrtRunOptions;
typedef struct OrtValue OrtValue;
typedef struct OrtMemoryInfo OrtMemoryInfo;
typedef struct OrtAllocator OrtAllocator;
typedef struct OrtThreadingOptions OrtThreadingOptions;
typedef struct OrtTensorTypeAndShapeInfo OrtTensorTypeAndShapeInfo;

// The table, an array of untyped slots.
typedef void *const *OrtTable;

typedef struct {
  OrtTable (*get_api)(uint32_t version);
  const char *(*get_version_string)(void);
} OrtApiBase;

typedef const OrtApiBase *(*OrtGetApiBaseFunction)(void);

// The oldest table that has every slot used here.
enum { ort_api_version = 17 };

enum {
  ort_log_warning = 2,
  ort_log_error = 3,
  ort_log_fatal = 4,
  ort_optimize_none = 0,
  ort_optimize_basic = 1,
  ort_optimize_extended = 2,
  ort_optimize_all = 99,
  ort_allocator_device = 0,
  ort_allocator_arena = 1,
  ort_memory_default = 0,
  ort_element_float32 = 1,
  ort_element_int32 = 6,
  ort_element_int64 = 7,
  ort_element_bool = 9,
  ort_element_float64 = 11,
};

static inline int32_t ort_error_code(OrtTable table, const OrtStatus *status) {
  typedef int32_t (*Function)(const OrtStatus *);
  return ((Function)table[1])(status);
}

static inline const char *ort_error_message(OrtTable table, const OrtStatus *status) {
  typedef const char *(*Function)(const OrtStatus *);
  return ((Function)table[2])(status);
}

static inline void ort_release_status(OrtTable table, OrtStatus *status) {
  typedef void (*Function)(OrtStatus *);
  ((Function)table[93])(status);
}

// Environment and its one pool of threads.

static inline OrtStatus *ort_create_threading_options(OrtTable table, OrtThreadingOptions **out) {
  typedef OrtStatus *(*Function)(OrtThreadingOptions **);
  return ((Function)table[121])(out);
}

static inline OrtStatus *ort_set_global_intra_op_threads(
    OrtTable table, OrtThreadingOptions *options, int threads) {
  typedef OrtStatus *(*Function)(OrtThreadingOptions *, int);
  return ((Function)table[147])(options, threads);
}

static inline OrtStatus *ort_set_global_spin_control(
    OrtTable table, OrtThreadingOptions *options, int allow_spinning) {
  typedef OrtStatus *(*Function)(OrtThreadingOptions *, int);
  return ((Function)table[149])(options, allow_spinning);
}

static inline void ort_release_threading_options(OrtTable table, OrtThreadingOptions *options) {
  typedef void (*Function)(OrtThreadingOptions *);
  ((Function)table[122])(options);
}

static inline OrtStatus *ort_create_env_with_global_threads(
    OrtTable table, int32_t log_level, const char *log_name, const OrtThreadingOptions *options,
    OrtEnv **out) {
  typedef OrtStatus *(*Function)(int32_t, const char *, const OrtThreadingOptions *, OrtEnv **);
  return ((Function)table[119])(log_level, log_name, options, out);
}

static inline void ort_release_env(OrtTable table, OrtEnv *env) {
  typedef void (*Function)(OrtEnv *);
  ((Function)table[92])(env);
}

// Sessions.

static inline OrtStatus *ort_create_session_options(OrtTable table, OrtSessionOptions **out) {
  typedef OrtStatus *(*Function)(OrtSessionOptions **);
  return ((Function)table[10])(out);
}

static inline OrtStatus *ort_set_session_log_level(
    OrtTable table, OrtSessionOptions *options, int level) {
  typedef OrtStatus *(*Function)(OrtSessionOptions *, int);
  return ((Function)table[22])(options, level);
}

static inline OrtStatus *ort_set_optimization_level(
    OrtTable table, OrtSessionOptions *options, int32_t level) {
  typedef OrtStatus *(*Function)(OrtSessionOptions *, int32_t);
  return ((Function)table[23])(options, level);
}

static inline OrtStatus *ort_enable_profiling(
    OrtTable table, OrtSessionOptions *options, const char *file_prefix) {
  typedef OrtStatus *(*Function)(OrtSessionOptions *, const char *);
  return ((Function)table[14])(options, file_prefix);
}

// The name of the file written, from `allocator`, to be freed with it.
static inline OrtStatus *ort_session_end_profiling(
    OrtTable table, OrtSession *session, OrtAllocator *allocator, char **out) {
  typedef OrtStatus *(*Function)(OrtSession *, OrtAllocator *, char **);
  return ((Function)table[110])(session, allocator, out);
}

static inline OrtStatus *ort_allocator_free(OrtTable table, OrtAllocator *allocator, void *memory) {
  typedef OrtStatus *(*Function)(OrtAllocator *, void *);
  return ((Function)table[76])(allocator, memory);
}

static inline OrtStatus *ort_disable_per_session_threads(
    OrtTable table, OrtSessionOptions *options) {
  typedef OrtStatus *(*Function)(OrtSessionOptions *);
  return ((Function)table[120])(options);
}

static inline OrtStatus *ort_add_session_config_entry(
    OrtTable table, OrtSessionOptions *options, const char *key, const char *value) {
  typedef OrtStatus *(*Function)(OrtSessionOptions *, const char *, const char *);
  return ((Function)table[130])(options, key, value);
}

static inline void ort_release_session_options(OrtTable table, OrtSessionOptions *options) {
  typedef void (*Function)(OrtSessionOptions *);
  ((Function)table[100])(options);
}

static inline OrtStatus *ort_create_session_from_array(
    OrtTable table, const OrtEnv *env, const void *bytes, size_t length,
    const OrtSessionOptions *options, OrtSession **out) {
  typedef OrtStatus *(*Function)(
      const OrtEnv *, const void *, size_t, const OrtSessionOptions *, OrtSession **);
  return ((Function)table[8])(env, bytes, length, options, out);
}

static inline OrtStatus *ort_session_input_count(
    OrtTable table, const OrtSession *session, size_t *out) {
  typedef OrtStatus *(*Function)(const OrtSession *, size_t *);
  return ((Function)table[30])(session, out);
}

static inline OrtStatus *ort_session_output_count(
    OrtTable table, const OrtSession *session, size_t *out) {
  typedef OrtStatus *(*Function)(const OrtSession *, size_t *);
  return ((Function)table[31])(session, out);
}

static inline void ort_release_session(OrtTable table, OrtSession *session) {
  typedef void (*Function)(OrtSession *);
  ((Function)table[95])(session);
}

static inline OrtStatus *ort_run(
    OrtTable table, OrtSession *session, const OrtRunOptions *run_options,
    const char *const *input_names, const OrtValue *const *inputs, size_t input_count,
    const char *const *output_names, size_t output_count, OrtValue **outputs) {
  typedef OrtStatus *(*Function)(
      OrtSession *, const OrtRunOptions *, const char *const *, const OrtValue *const *, size_t,
      const char *const *, size_t, OrtValue **);
  return ((Function)table[9])(
      session, run_options, input_names, inputs, input_count, output_names, output_count, outputs);
}

static inline OrtStatus *ort_create_run_options(OrtTable table, OrtRunOptions **out) {
  typedef OrtStatus *(*Function)(OrtRunOptions **);
  return ((Function)table[39])(out);
}

static inline OrtStatus *ort_set_terminate(OrtTable table, OrtRunOptions *options) {
  typedef OrtStatus *(*Function)(OrtRunOptions *);
  return ((Function)table[46])(options);
}

static inline OrtStatus *ort_unset_terminate(OrtTable table, OrtRunOptions *options) {
  typedef OrtStatus *(*Function)(OrtRunOptions *);
  return ((Function)table[47])(options);
}

static inline void ort_release_run_options(OrtTable table, OrtRunOptions *options) {
  typedef void (*Function)(OrtRunOptions *);
  ((Function)table[97])(options);
}

// Values.

static inline OrtStatus *ort_create_cpu_memory_info(
    OrtTable table, int32_t allocator_type, int32_t memory_type, OrtMemoryInfo **out) {
  typedef OrtStatus *(*Function)(int32_t, int32_t, OrtMemoryInfo **);
  return ((Function)table[69])(allocator_type, memory_type, out);
}

static inline void ort_release_memory_info(OrtTable table, OrtMemoryInfo *info) {
  typedef void (*Function)(OrtMemoryInfo *);
  ((Function)table[94])(info);
}

static inline OrtStatus *ort_default_allocator(OrtTable table, OrtAllocator **out) {
  typedef OrtStatus *(*Function)(OrtAllocator **);
  return ((Function)table[78])(out);
}

static inline OrtStatus *ort_create_tensor(
    OrtTable table, OrtAllocator *allocator, const int64_t *shape, size_t rank, int32_t element,
    OrtValue **out) {
  typedef OrtStatus *(*Function)(OrtAllocator *, const int64_t *, size_t, int32_t, OrtValue **);
  return ((Function)table[48])(allocator, shape, rank, element, out);
}

static inline OrtStatus *ort_create_tensor_over_memory(
    OrtTable table, const OrtMemoryInfo *info, void *data, size_t byte_count, const int64_t *shape,
    size_t rank, int32_t element, OrtValue **out) {
  typedef OrtStatus *(*Function)(
      const OrtMemoryInfo *, void *, size_t, const int64_t *, size_t, int32_t, OrtValue **);
  return ((Function)table[49])(info, data, byte_count, shape, rank, element, out);
}

static inline OrtStatus *ort_tensor_mutable_data(OrtTable table, OrtValue *value, void **out) {
  typedef OrtStatus *(*Function)(OrtValue *, void **);
  return ((Function)table[51])(value, out);
}

static inline OrtStatus *ort_tensor_type_and_shape(
    OrtTable table, const OrtValue *value, OrtTensorTypeAndShapeInfo **out) {
  typedef OrtStatus *(*Function)(const OrtValue *, OrtTensorTypeAndShapeInfo **);
  return ((Function)table[65])(value, out);
}

static inline OrtStatus *ort_tensor_element_type(
    OrtTable table, const OrtTensorTypeAndShapeInfo *info, int32_t *out) {
  typedef OrtStatus *(*Function)(const OrtTensorTypeAndShapeInfo *, int32_t *);
  return ((Function)table[60])(info, out);
}

static inline OrtStatus *ort_dimension_count(
    OrtTable table, const OrtTensorTypeAndShapeInfo *info, size_t *out) {
  typedef OrtStatus *(*Function)(const OrtTensorTypeAndShapeInfo *, size_t *);
  return ((Function)table[61])(info, out);
}

static inline OrtStatus *ort_dimensions(
    OrtTable table, const OrtTensorTypeAndShapeInfo *info, int64_t *out, size_t rank) {
  typedef OrtStatus *(*Function)(const OrtTensorTypeAndShapeInfo *, int64_t *, size_t);
  return ((Function)table[62])(info, out, rank);
}

static inline void ort_release_type_and_shape(OrtTable table, OrtTensorTypeAndShapeInfo *info) {
  typedef void (*Function)(OrtTensorTypeAndShapeInfo *);
  ((Function)table[99])(info);
}

static inline void ort_release_value(OrtTable table, OrtValue *value) {
  typedef void (*Function)(OrtValue *);
  ((Function)table[96])(value);
}

#endif
