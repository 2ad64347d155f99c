import Curvature
import Foundation
import LinearMaps
import Training

/// Rows whose squares are, sample by sample, what a table's loss is to second order at a point.
struct SampleRows {
  var rows: [Double]
  var targets: [Double]
  var perSample: Int
  var scale: Double
  var penalty: [Double]
  var point: [Double]

  func samples(divisor: [Double]? = nil) throws -> LeastSquaresSamples? {
    try LeastSquaresSamples(
      rows: rows, targets: targets, scale: scale, penalty: penalty, at: point, divisor: divisor,
      rowsPerSample: perSample)
  }

  /// What the squares rise by from one point to another where the first is their minimum.
  func rise(from minimiser: [Double], to other: [Double]) -> Double {
    let d = minimiser.count
    let moved = zip(other, minimiser).map { $0 - $1 }
    var sum = 0.0
    for row in targets.indices {
      let image = (0..<d).reduce(0) { $0 + rows[row * d + $1] * moved[$1] }
      sum += image * image
    }
    return scale * sum * Double(perSample) / Double(2 * targets.count)
      + (0..<d).reduce(0) { $0 + penalty[$1] * moved[$1] * moved[$1] } / 2
  }
}

extension TabularProblem {
  /// The rows at a point, exact for a linear model under a squared error; those of a logistic or softmax
  /// model are the roots of each sample's own Hessian (see `leastSquaresModes`), so that gradients and curvatures
  /// of samples are right there. Nil for networks, and where a probability vanishes.
  func sampleRows(at point: [Double]) -> SampleRows? {
    let (n, d) = (sampleCount, featureCount)
    let width = d + (hasIntercept ? 1 : 0)
    guard compression == nil else { return nil }
    func feature(_ sample: Int, _ column: Int) -> Double {
      column < d ? features[sample * d + column] : 1
    }
    var rows: [Double] = []
    var targets: [Double] = []
    func add(_ row: [Double], residual: Double) {
      targets.append(zip(row, point).reduce(0) { $0 + $1.0 * $1.1 } - residual)
      rows += row
    }
    let outputs: Int
    switch (model, target) {
    case (.linear, .numeric(let values)) where isQuadratic:
      outputs = 1
      for i in 0..<n { rows += (0..<width).map { feature(i, $0) } }
      targets = values
    case (.logistic, .classes(let labels, _)):
      outputs = 1
      for i in 0..<n {
        let x = (0..<width).map { feature(i, $0) }
        let p = 1 / (1 + exp(-zip(x, point).reduce(0) { $0 + $1.0 * $1.1 }))
        let root = (p * (1 - p)).squareRoot()
        guard root > 1e-100 else { return nil }
        add(x.map { root * $0 }, residual: (p - (labels[i] == 1 ? 1 : 0)) / root)
      }
    case (.softmax, .classes(let labels, let count)):
      outputs = count
      for i in 0..<n {
        let x = (0..<width).map { feature(i, $0) }
        let logits = (0..<count).map { c in
          (0..<width).reduce(0) { $0 + x[$1] * point[$1 * count + c] }
        }
        let peak = logits.max() ?? 0
        let weights = logits.map { exp($0 - peak) }
        let total = weights.reduce(0, +)
        let p = weights.map { $0 / total }
        guard p.allSatisfy({ $0 > 1e-200 }) else { return nil }
        for k in 0..<count {
          let root = p[k].squareRoot()
          let row = (0..<width * count).map { index in
            let c = index % count
            return ((c == k ? root : 0) - p[c] * root) * x[index / count]
          }
          add(row, residual: (p[k] - (Int(labels[i]) == k ? 1 : 0)) / root)
        }
      }
    case (.linear, _), (.softmax, .numeric), (.logistic, .numeric), (.mlp, _): return nil
    }
    let squares = loss.name == ModelLoss.meanSquaredError.name && outputs == 1 && isQuadratic
    return SampleRows(
      rows: rows, targets: targets, perSample: outputs,
      scale: (squares ? 2 : 1) * lossWeight,
      penalty: (0..<width * outputs).map {
        $0 / outputs < d ? l2 * (penaltyScales?[$0 / outputs] ?? 1) : 0
      }, point: point)
  }
}
