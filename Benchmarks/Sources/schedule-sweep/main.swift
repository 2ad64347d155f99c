// What schedules that measure come to beside constant rates, on full-batch descent at the edge of stability:
// a tanh network 1-40-40-1 on 20 points of a Chebyshev polynomial, means over starts.
//
//   schedule-sweep [STEPS] [STARTS]

import Curvature
import Foundation
import LinearMaps
import OnnxBackend
import TensorPrograms
import Training

let arguments = CommandLine.arguments.dropFirst().compactMap { Int($0) }
let steps = arguments.first ?? 10_000
let starts = arguments.dropFirst().first ?? 3
let marks = [100, 300, 1000, 3000, 10_000, 30_000].filter { $0 <= steps }
let sizes = [1, 40, 40, 1]

let inputs = (0..<20).map { -1 + 2 * Double($0) / 19 }
let targets = inputs.map { 8 * $0 * $0 * $0 * $0 - 8 * $0 * $0 + 1 }
let parameters = zip(sizes, sizes.dropFirst()).enumerated().flatMap { layer, pair in
  [
    LossDefinition.Parameter("weight\(layer)", [pair.0, pair.1]),
    LossDefinition.Parameter("bias\(layer)", [pair.1], role: .bias),
  ]
}
let definition = LossDefinition(parameters: parameters) { p, data in
  let first = (data[0].matmul(p[0]) + p[1]).tanh()
  let second = (first.matmul(p[2]) + p[3]).tanh()
  return (second.matmul(p[4]) + p[5] - data[1]).square().mean() * 0.5
}
let loss = try Objective<Double>(
  definition, data: [Tensor(inputs, shape: [20, 1]), Tensor(targets, shape: [20, 1])],
  executor: OnnxExecutor())

/// Weights of variance `1 / fan-in`, biases of zero.
func start(seed: UInt64) -> [Double] {
  var generator = SeededGenerator(seed: seed)
  return zip(sizes, sizes.dropFirst()).flatMap { from, to -> [Double] in
    (0..<from * to).map { _ in generator.nextNormal() / Double(from).squareRoot() }
      + [Double](repeating: 0, count: to)
  }
}

struct Course {
  var name: String
  var rate: Double
  var schedule: any Schedule
}

let courses =
  [0.05, 0.1, 0.2, 0.4].map { Course(name: "constant \($0)", rate: $0, schedule: Constant()) }
  + [1, 1.5, 1.9, 1.95, 2, 2.05].map {
    Course(
      name: "curvature-dynamics-aware, sigma \($0)", rate: 0.1,
      schedule: CurvatureDynamicsAware(sigma: $0))
  }
  + [0.5, 0.8, 0.9, 0.95, 1, 1.05].map {
    Course(
      name: "sharpness-following, share \($0)", rate: 0.1, schedule: SharpnessFollowing(share: $0))
  }
  + [0.5, 0.9, 0.95].map {
    Course(
      name: "critical-sharpness, share \($0)", rate: 0.1, schedule: CriticalSharpness(share: $0))
  }

print(
  "| schedule | " + marks.map { "\($0)" }.joined(separator: " | ") + " | last rate | gradients |")
print("|---|" + marks.map { _ in "---:|" }.joined() + "---:|---:|")
for course in courses {
  // Geometric means: losses of different starts lie decades apart.
  var logarithms = marks.map { _ in 0.0 }
  var reached = marks.map { _ in 0 }
  var (last, gradients) = (0.0, 0.0)
  for seed in 1...UInt64(starts) {
    let run = try TrainingRun(
      loss, GradientDescent(), rate: course.rate, from: start(seed: seed))
    let measurer = ScheduleMeasurer<Double>(seed: seed)
    let trainer = Trainer(
      run, rate: course.rate, steps: steps, schedule: course.schedule, measure: measurer.measure)
    var rates: [Double] = []
    _ = try trainer.train { event in
      guard case .step(let record) = event else { return }
      if let place = marks.firstIndex(of: record.step + 1) {
        logarithms[place] += log(record.loss) / Double(starts)
        if record.loss < 1e10 { reached[place] += 1 }
      }
      rates.append(record.rate)
    }
    let tail = rates.suffix(max(1, steps / 10))
    last += tail.reduce(0, +) / Double(tail.count * starts)
    gradients += (1 + trainer.history.measuringGradients / Double(rates.count)) / Double(starts)
  }
  let figures =
    zip(logarithms, reached).map {
      $1 == starts ? String(format: "%.2g", exp($0)) : "diverged"
    } + [
      String(format: "%.3g", last), String(format: "%.1f", gradients),
    ]
  print("| \(course.name) | " + figures.joined(separator: " | ") + " |")
}
