import Foundation
import LinearMaps

/// The mean logarithm by which a mini-batch step multiplies a large error: the largest Lyapunov exponent of the
/// products of the batches' matrices.
///
/// Where it is positive almost every run grows without end. Between the limit of second moments and the rate at
/// which it changes its sign single runs come back from what they burst to.
///
/// Reference: Furstenberg and Kesten, "Products of random matrices" (1960).
package struct ErrorGrowth: Sendable, Equatable {
  /// Natural logarithm, a step.
  package let perStep: Double
  /// Standard error of the mean over the steps taken.
  package let error: Double

  /// Whether errors grow, beyond doubt.
  package var isPositive: Bool { perStep > 3 * error }
}

extension LeastSquaresSamples {
  /// The growth of an error along a seeded course of batches, the noise at the minimum left out.
  ///
  /// - Parameter work: multiplications that may be spent.
  /// - Precondition: at least as many samples as a batch has.
  package func errorGrowth(
    rate: Double, _ batches: Batches, form: MomentumForm = .plain, work: Double = 2e8
  ) -> ErrorGrowth {
    let (k, m, b) = (dimension, rowsPerSample, form.momentum)
    let price = 2 * Double(batches.size * m * k) + Double(penalty == nil ? 2 * k : k * k)
    let steps = max(400, Int(min(40_000, work / price)))
    var order = BatchOrder(sampleCount: count, batches)
    var error = (0..<k).map { 1 / Double($0 + 1).squareRoot() }
    var velocity = [Double](repeating: 0, count: k)
    var logs: [Double] = []
    for step in 0..<steps {
      let point = form.looksAhead ? (0..<k).map { error[$0] - rate * b * velocity[$0] } : error
      var gradient = [Double](repeating: 0, count: k)
      if let penalty {
        for a in 0..<k {
          for c in 0..<k { gradient[a] += penalty[c * k + a] * point[c] }
        }
      }
      let chosen = order.samples(of: step)
      let share = 1 / Double(chosen.count)
      rows.withUnsafeBufferPointer { rows in
        for sample in chosen {
          for row in sample * m..<(sample + 1) * m {
            var image = 0.0
            for a in 0..<k { image += rows[row * k + a] * point[a] }
            image *= share
            for a in 0..<k { gradient[a] += image * rows[row * k + a] }
          }
        }
      }
      var square = 0.0
      for a in 0..<k {
        velocity[a] = b * velocity[a] + gradient[a]
        error[a] -= rate * velocity[a]
        square += error[a] * error[a] + (b == 0 ? 0 : rate * rate * velocity[a] * velocity[a])
      }
      let norm = square.squareRoot()
      guard norm > 0, norm.isFinite else {
        return ErrorGrowth(perStep: norm > 0 ? .infinity : -.infinity, error: 0)
      }
      for a in 0..<k {
        error[a] /= norm
        velocity[a] /= norm
      }
      if step >= steps / 8 { logs.append(log(norm)) }
    }
    let blocks = 16
    let means = (0..<blocks).map { block -> Double in
      let part = logs[block * logs.count / blocks..<(block + 1) * logs.count / blocks]
      return part.reduce(0, +) / Double(part.count)
    }
    let mean = logs.reduce(0, +) / Double(logs.count)
    let square = means.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
    return ErrorGrowth(
      perStep: mean, error: (square / Double(blocks * (blocks - 1))).squareRoot())
  }
}
