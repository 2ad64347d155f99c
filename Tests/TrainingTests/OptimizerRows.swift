import Curvature
import Foundation
import TensorPrograms
import Training

/// An optimizer and the same update in plain doubles.
struct OptimizerRow: Sendable, CustomStringConvertible {
  let name: String
  /// Those that are not at their defaults.
  var hyperparameters: [String: Double] = [:]
  let rate: Double
  /// One step of the reference.
  let step: @Sendable (inout Reference) -> Void

  var description: String { "\(name) \(hyperparameters)" }

  /// At least one row of each optimizer at its defaults, and one with each hyperparameter at another value.
  static let all: [OptimizerRow] =
    [OptimizerRow(name: "gd", rate: 0.3, step: descent)]
    + [nil, 0.5, 0, 0.99].map { (beta: Double?) in
      OptimizerRow(
        name: "momentum", hyperparameters: beta.map { ["momentum": $0] } ?? [:], rate: 0.05,
        step: { heavyBall(&$0, beta ?? 0.9) })
    }
    + [nil, 0.5, 0, 0.99].map { (beta: Double?) in
      OptimizerRow(
        name: "nesterov", hyperparameters: beta.map { ["momentum": $0] } ?? [:], rate: 0.05,
        step: { nesterov(&$0, beta ?? 0.9) })
    }
    + [
      OptimizerRow(name: "adam", rate: 0.1, step: { adam(&$0, 0.9, 0.999, 1e-8) }),
      OptimizerRow(
        name: "adam", hyperparameters: ["beta1": 0.6, "beta2": 0.95, "epsilon": 1e-3], rate: 0.02,
        step: { adam(&$0, 0.6, 0.95, 1e-3) }),
      OptimizerRow(
        name: "adam", hyperparameters: ["beta1": 0, "beta2": 0.5], rate: 0.01,
        step: { adam(&$0, 0, 0.5, 1e-8) }),
    ]
}

/// A run in plain doubles.
struct Reference {
  var x: [Double]
  let rate: Double
  let valueAndGradient: ([Double]) -> (value: Double, gradient: [Double])
  /// What the optimizer remembers, by name.
  var memory: [String: [Double]] = [:]
  /// Steps taken.
  var count = 0
  var losses: [Double] = []
  var gradientNorms: [Double] = []
  /// Where the last gradient was taken.
  var evaluated: [Double] = []

  init(
    from x: [Double], rate: Double,
    _ valueAndGradient: @escaping ([Double]) -> (value: Double, gradient: [Double])
  ) {
    self.x = x
    self.rate = rate
    self.valueAndGradient = valueAndGradient
  }

  mutating func gradient(at point: [Double]) -> [Double] {
    let (value, gradient) = valueAndGradient(point)
    losses.append(value)
    gradientNorms.append(norm(gradient))
    evaluated = point
    return gradient
  }

  func remembered(_ name: String) -> [Double] {
    memory[name] ?? [Double](repeating: 0, count: x.count)
  }

  mutating func take(_ step: (inout Reference) -> Void, times: Int = 1) {
    for _ in 0..<times {
      step(&self)
      count += 1
    }
  }
}

/// `x <- x - eta g`.
@Sendable func descent(_ run: inout Reference) {
  let g = run.gradient(at: run.x)
  for i in g.indices { run.x[i] -= run.rate * g[i] }
}

/// `v <- b v + g`, `x <- x - eta v`.
func heavyBall(_ run: inout Reference, _ beta: Double) {
  let g = run.gradient(at: run.x)
  var v = run.remembered("velocity")
  for i in g.indices {
    v[i] = beta * v[i] + g[i]
    run.x[i] -= run.rate * v[i]
  }
  run.memory["velocity"] = v
}

/// As PyTorch's `SGD(nesterov=True)` has it, whose parameters are the lookahead points `y`:
/// `v <- b v + g(y)`, `y <- y - eta (g + b v)`; `x = y + eta b v`.
func nesterov(_ run: inout Reference, _ beta: Double) {
  var y = run.memory["y"] ?? run.x
  var v = run.remembered("velocity")
  let g = run.gradient(at: y)
  for i in g.indices {
    v[i] = beta * v[i] + g[i]
    y[i] -= run.rate * (g[i] + beta * v[i])
    run.x[i] = y[i] + run.rate * beta * v[i]
  }
  (run.memory["y"], run.memory["velocity"]) = (y, v)
}

/// Algorithm 1 of arXiv:1412.6980.
func adam(_ run: inout Reference, _ beta1: Double, _ beta2: Double, _ epsilon: Double) {
  let g = run.gradient(at: run.x)
  var (m, v) = (run.remembered("m"), run.remembered("v"))
  let t = Double(run.count + 1)
  for i in g.indices {
    m[i] = beta1 * m[i] + (1 - beta1) * g[i]
    v[i] = beta2 * v[i] + (1 - beta2) * g[i] * g[i]
    let first = m[i] / (1 - pow(beta1, t))
    let second = v[i] / (1 - pow(beta2, t))
    run.x[i] -= run.rate * first / (second.squareRoot() + epsilon)
  }
  (run.memory["m"], run.memory["v"]) = (m, v)
}
