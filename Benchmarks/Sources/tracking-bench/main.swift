// tracking-bench cost [STEPS] [--json] | edge [DIVISOR] [--json]: what tracking costs in runs of so many steps,
// and where full-batch runs settle, their steps divided by a number.
import Foundation

let words = CommandLine.arguments.dropFirst().filter { $0 != "--json" }
let asJSON = CommandLine.arguments.contains("--json")
let number = words.dropFirst().first.flatMap { Int($0) }

#if canImport(Glibc)
  // As the program does: or what is measured is how glibc hands memory back. -1 is the threshold from which it does,
  // -3 that from which allocations are mapped by themselves.
  if let symbol = dlsym(nil, "mallopt") {
    let set = unsafeBitCast(symbol, to: (@convention(c) (CInt, CInt) -> CInt).self)
    _ = (set(-1, 1 << 28), set(-3, 1 << 25))
  }
#endif

/// A row as text, or as a line of JSON.
func show(_ text: String, _ values: [String: Any]) throws {
  guard asJSON else { return print(text) }
  print(
    String(
      decoding: try JSONSerialization.data(withJSONObject: values, options: .sortedKeys),
      as: UTF8.self))
}

switch words.first {
case "cost": try trackingCost(steps: number ?? 2000)
case "edge": try edgeOfStability(dividingStepsBy: number ?? 1)
default: print("tracking-bench cost [STEPS] | edge [DIVISOR] [--json]")
}
