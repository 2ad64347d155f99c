// tracking-bench cost [STEPS] [--json] | edge [DIVISOR] [--json]: what tracking costs in runs of so many steps,
// and where full-batch runs settle, their steps divided by a number.
import Foundation

let words = CommandLine.arguments.dropFirst().filter { $0 != "--json" }
let asJSON = CommandLine.arguments.contains("--json")
let number = words.dropFirst().first.flatMap { Int($0) }

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
