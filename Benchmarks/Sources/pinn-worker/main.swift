// pinn-worker PROBLEM METHOD ITERATIONS SEED [--adam STEPS RATE] [--width W] [--refine F]
//   [--time-scale S] [--threads N] [--every K]
//
// Trains one physics-informed network in float64 and prints one JSON line: the loss at the end, on the points it
// was trained on and on twice as many others per axis, the solution's relative L2 error, and what it took. With `--adam`
// that many steps of Adam come first and count as iterations, with `--refine F` there are F times the points per
// axis, with `--time-scale S` the first layer's weights of the time start S times as large; `--every K` prints a
// line each K iterations.
var session = try Session(Arguments(Array(CommandLine.arguments.dropFirst())))
try session.run()
