/* Eigenstep's C interface.
 *
 * Requests and reports are JSON (docs/json.md), arrays come by pointer, and errors are values: no call ends
 * the process. Any number of threads may call at once; a result belongs to who asked for it.
 *
 *     eigenstep_result *result = eigenstep_answer(request, NULL, 0, NULL, NULL);
 *     if (eigenstep_result_status(result) == EIGENSTEP_DONE) puts(eigenstep_result_text(result, 80));
 *     else fputs(eigenstep_result_error(result), stderr);
 *     eigenstep_result_free(result);
 */
#ifndef EIGENSTEP_H
#define EIGENSTEP_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Raised when a declaration below changes; a caller compares it with eigenstep_abi(). */
#define EIGENSTEP_ABI 1

/* How a call ended: the exit codes of the program. */
enum {
  EIGENSTEP_DONE = 0,
  EIGENSTEP_LOST = 1,           /* a training was lost */
  EIGENSTEP_USAGE = 64,         /* the request cannot be met as it stands */
  EIGENSTEP_BAD_DATA = 65,
  EIGENSTEP_NO_INPUT = 66,
  EIGENSTEP_UNAVAILABLE = 69,   /* a library is missing */
  EIGENSTEP_SOFTWARE = 70,
  EIGENSTEP_CANNOT_CREATE = 73,
  EIGENSTEP_CALLBACK = 75,      /* a callback returned another number than 0 */
  EIGENSTEP_INTERRUPTED = 130
};

enum {
  EIGENSTEP_FLOAT32 = 1,
  EIGENSTEP_FLOAT64 = 2,
  EIGENSTEP_INT32 = 3,
  EIGENSTEP_INT64 = 4,
  EIGENSTEP_BOOL = 5,           /* a byte each, 0 or 1 */
  EIGENSTEP_TEXT = 6            /* char *, UTF-8, each ended by 0; NULL: missing */
};

/* An array, row-major; read during the call alone. */
typedef struct {
  const char *name;
  int32_t element;
  int32_t rank;
  const int64_t *shape;
  const void *data;
} eigenstep_array;

/* What a long call tells its caller. */
typedef struct {
  void *context;
  /* Told where the work is, with the part of the stage that is done or -1; may be NULL. */
  void (*progress)(void *context, const char *stage, double fraction);
  /* Asked before each product and step; another number than 0 ends the work soon. May be NULL. */
  int32_t (*is_cancelled)(void *context);
} eigenstep_watch;

/* A loss that the caller computes.
 *
 * `element` is EIGENSTEP_FLOAT32 or EIGENSTEP_FLOAT64: what the vectors hold, in one call to
 * eigenstep_answer always the same. `point_number` changes with the point, so that a caller who has loaded a
 * point need not do so again. Callbacks come from the calling thread, return 0, and write nothing but their
 * outputs; another number ends the call with EIGENSTEP_CALLBACK. */
typedef struct {
  void *context;
  /* {"name": ..., "parameters": [{"name": ..., "shape": [..]}, ..], "sampleCount": n,
   *  "gradientOperations": f, "notes": [..], "optimizer": {"updates": t}}; all but the parameters may be left
   * out.
   *
   * Of the optimizer whose step is judged: `updates` are the steps that its state holds, which comes as the
   * arrays "optimizer/NAME", flat, in the order of the parameters, by the names of the catalogue: "optimizer/m"
   * and "optimizer/v" for Adam, "optimizer/velocity" for momentum. A parameter may have a "rateFactor", which
   * its rate is that of the request times, a "decay", decoupled, and a "penalty" c, for c / 2 of its squares
   * that the library adds to the loss: weight decay that is coupled to the gradient. */
  const char *description;
  /* One number per parameter. */
  const double *start;
  /* The value, and the gradient where `gradient` is not NULL. */
  int32_t (*value_and_gradient)(
      void *context, int32_t element, uint64_t point_number, const void *point, double *value,
      void *gradient);
  /* The Hessian's product with a direction. */
  int32_t (*hessian_product)(
      void *context, int32_t element, uint64_t point_number, const void *point,
      const void *direction, void *result);
  /* The same of the Gauss-Newton matrix; may be NULL. */
  int32_t (*gauss_newton_product)(
      void *context, int32_t element, uint64_t point_number, const void *point,
      const void *direction, void *result);
} eigenstep_loss;

/* A symmetric operator that the caller applies: y = A x, `dimension` numbers of `element` each. */
typedef struct {
  void *context;
  int64_t dimension;
  int32_t element;
  int32_t (*apply)(void *context, const void *x, void *y);
} eigenstep_operator;

typedef struct eigenstep_result eigenstep_result;

/* What the library was built with. */
int32_t eigenstep_abi(void);
const char *eigenstep_version(void);

/* Runs the program `eigenstep` with the arguments of a C main, the program's own name among them, and returns its
 * exit code. For a process of its own, once: it takes over the signals and the standard streams, and ends the
 * process on a second Ctrl-C or where standard output cannot be written. */
int32_t eigenstep_command(int32_t argc, const char *const *argv);

/* Where ONNX Runtime's library lies, for the calls that come after; NULL: where it is looked for. */
void eigenstep_set_runtime(const char *path);

/* Answers a request: a diagnosis, a spectrum, a training, a sweep, a lab. Its problem is a file, or
 * {"memory": name} where the loss is the caller's; a file named "memory:NAME" is made of the arrays NAME/x,
 * NAME/y and so on, with words in "NAME/x.columns" for the names of x's columns. */
eigenstep_result *eigenstep_answer(
    const char *request, const eigenstep_array *arrays, int32_t count, const eigenstep_loss *loss,
    const eigenstep_watch *watch);

/* Measures a symmetric operator: {"task": "eigenpairs" | "density" | "trace" | "solve", ...}. */
eigenstep_result *eigenstep_measure(
    const char *request, const eigenstep_operator *map, const eigenstep_array *arrays, int32_t count,
    const eigenstep_watch *watch);

/* What a result holds; of NULL, what one without a report holds. Strings and arrays are the result's own and live
 * as long as it does. */
int32_t eigenstep_result_status(const eigenstep_result *result);
/* One sentence; NULL where there is a report. */
const char *eigenstep_result_error(const eigenstep_result *result);
/* The report as JSON; NULL where there is none. */
const char *eigenstep_result_json(const eigenstep_result *result);
/* The report as the terminal shows it, `width` columns wide; NULL where there is none. */
const char *eigenstep_result_text(eigenstep_result *result, int32_t width);
/* An array of float64 that the report tells of by name ("parameters", "vectors", "solution"); NULL where there
 * is none. */
const double *eigenstep_result_array(
    const eigenstep_result *result, const char *name, int64_t *count);
void eigenstep_result_free(eigenstep_result *result);

/* In which language the reports of the calls that come after name what to do next: "shell" (the program's
 * commands, as at first) or "python" (calls of the package). */
void eigenstep_set_language(const char *name);

/* The arrays that eigenstep_result_array has, as JSON: [{"name": .., "shape": [..]}, ..]; NULL where there is no
 * report. */
const char *eigenstep_result_arrays(const eigenstep_result *result);

/* A training loop of the caller's, watched: trackers and guard as a training of eigenstep's own has them. One
 * thread at a time.
 *
 *     after each step:  news = eigenstep_monitor_step(monitor, loss, rate, next_rate)
 *     EIGENSTEP_ALARM:  eigenstep_monitor_alarm says which, and what to do
 *     EIGENSTEP_CHECK:  eigenstep_monitor_check, with the parameters as they are now
 *     with the guard "lower-rate":  eigenstep_monitor_keep
 */
typedef struct eigenstep_monitor eigenstep_monitor;

enum { EIGENSTEP_ALARM = 1, EIGENSTEP_CHECK = 2 };

/* {"optimizer": {"name": ..}, "every": n, "guard": "off" | "warn" | "stop" | "lower-rate", "track": [..],
 *  "log": folder, "resumesLog": b, "seed": n, "precision": "float32" | "float64", "notes": [..]};
 *  without an optimizer no limit is known. `monitor` is NULL where the result is an error. */
eigenstep_result *eigenstep_monitor_open(const char *settings, eigenstep_monitor **monitor);
/* Takes note of a step: the loss of its batch before it, its rate and that of the next one. Bits of what is to be
 * done; -1 where the log cannot be written, and, as of `wait` and `keep`, where there is no monitor. */
int32_t eigenstep_monitor_step(eigenstep_monitor *monitor, double loss, double rate, double next_rate);
/* Steps before a check can fall due, but for a change of the rate. */
int64_t eigenstep_monitor_wait(eigenstep_monitor *monitor);
/* {"step", "sentence", "rateFactor", "backTo"}: under "lower-rate" the rate is to be multiplied, and the loop put
 * back to the point that was kept at a step, where that is not null. */
eigenstep_result *eigenstep_monitor_alarm(eigenstep_monitor *monitor);
/* Looks at the loss of a fixed batch, its `start` the parameters as they are; the losses behind it are those of
 * groups of its samples, for the noise of the gradient. The first loss's description tells how the optimizer
 * stands, as for eigenstep_answer, with its rule where that is another than at the opening: "optimizer":
 * {"updates": n, "rule": {"name": ..}}. Arrays: "optimizer/v" and others by the names that its tensors have here.
 * `rate` is the largest of the rates that the parameters' factors are shares of. */
eigenstep_result *eigenstep_monitor_check(
    eigenstep_monitor *monitor, const eigenstep_loss *losses, int32_t count, double rate,
    const eigenstep_array *arrays, int32_t array_count, const eigenstep_watch *watch);
/* Whether the caller is to keep the point where it stands: the number of steps whose points are to be kept from
 * here on, written to `steps`, this one among them; -1 where it need not. */
int32_t eigenstep_monitor_keep(eigenstep_monitor *monitor, int64_t *steps, int32_t capacity);
/* What was seen so far (docs/json.md), with a note of the caller's or NULL. */
eigenstep_result *eigenstep_monitor_report(eigenstep_monitor *monitor, const char *note);
/* What a monitor of the same settings needs to go on, as JSON. */
eigenstep_result *eigenstep_monitor_state(eigenstep_monitor *monitor);
eigenstep_result *eigenstep_monitor_restore(eigenstep_monitor *monitor, const char *state);
void eigenstep_monitor_close(eigenstep_monitor *monitor);

#ifdef __cplusplus
}
#endif
#endif
