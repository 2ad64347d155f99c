import Curvature
import Foundation
import LinearMaps

extension TabularProblem {
  /// The quadratic that a linear model's loss is, or that fits a softmax model's loss at a point, from
  /// the table itself: exact where the eigenvalues of a Hessian in floating point drown in rounding.
  ///
  /// The Hessian of either is `s F'F`: the rows of `F` are the design's, for one logit times
  /// `sqrt(p (1 - p))`, and for softmax over `K` classes the `K` rows of `L_i (x) x_i` per sample, with `L = diag(sqrt p) - p sqrt(p)'`, so that
  /// `L L' = diag(p) - p p'`. A penalty adds a row per weight.
  ///
  /// - Parameters:
  ///   - features: row-major: rounded to the precision of the diagnosis, or as no double holds them; made
  ///     only where the table is small enough.
  ///   - scaling: a factor per parameter by which its column is multiplied, as a preconditioner does.
  /// - Returns: nil for networks, for tables that are too large, and where squares overflow.
  func leastSquaresModes(
    features: @autoclosure () -> [DoubleDouble], target: @autoclosure () -> [Double],
    at point: [Double], scaling: [Double]? = nil
  ) -> LeastSquaresModes? {
    switch (model, self.target) {
    case (.linear, .numeric):
      isQuadratic ? linearModes(features, target, point, scaling) : nil
    case (.softmax, .classes(let labels, let count)):
      softmaxModes(features, labels, classes: count, point, scaling)
    case (.logistic, .classes(let labels, _)):
      logisticModes(features, labels, point, scaling)
    case (.linear, .classes), (.softmax, .numeric), (.logistic, .numeric), (.mlp, _): nil
    }
  }

  private func linearModes(
    _ makeFeatures: () -> [DoubleDouble], _ target: () -> [Double], _ point: [Double],
    _ scaling: [Double]?
  ) -> LeastSquaresModes? {
    let (n, d) = (sampleCount, featureCount)
    let scale = (loss.name == ModelLoss.meanSquaredError.name ? 2 : 1) * sampleWeight
    let width = d + constants
    guard LeastSquaresModes.affords(rows: n + (l2 > 0 ? d : 0), columns: width) else { return nil }
    let features = makeFeatures()
    var residual = target().map { DoubleDouble(-$0) }
    var columns: [[DoubleDouble]] = []
    for column in 0..<width {
      let entries = (0..<n).map {
        column < d ? features[$0 * d + column] : compression?.bias[$0] ?? .one
      }
      for row in 0..<n { residual[row] += entries[row] * DoubleDouble(point[column]) }
      let factor = DoubleDouble(scaling?[column] ?? 1)
      columns.append(entries.map { $0 * factor })
    }
    addPenalty(to: &columns, &residual, point, scaling, outputs: 1, scale: scale)
    return LeastSquaresModes(columns: columns, residual: residual, start: point, scale: scale)
  }

  /// What a sample's loss counts for: `1/n`, or 1 where losses are added up.
  private var sampleWeight: Double { lossWeight / Double(sampleCount) }

  /// Columns of ones beside the features.
  private var constants: Int { hasIntercept ? 1 : 0 }

  private func logisticModes(
    _ makeFeatures: () -> [DoubleDouble], _ labels: [Int32], _ point: [Double],
    _ scaling: [Double]?
  ) -> LeastSquaresModes? {
    let (n, d) = (sampleCount, featureCount)
    let width = d + constants
    guard LeastSquaresModes.affords(rows: n + (l2 > 0 ? d : 0), columns: width) else { return nil }
    let features = makeFeatures()
    var columns = [[DoubleDouble]](repeating: [], count: width)
    var residual: [DoubleDouble] = []
    for sample in 0..<n {
      let x = (0..<width).map { $0 < d ? features[sample * d + $0] : .one }
      let logit = (0..<width).reduce(0.0) { $0 + x[$1].value * point[$1] }
      // The smaller of the two probabilities, so that its own digits are kept.
      let small = exp(-abs(logit)) / (1 + exp(-abs(logit)))
      guard small > 1e-200 else { return nil }
      let p = logit < 0 ? DoubleDouble(small) : .one - DoubleDouble(small)
      let root = (DoubleDouble(small) * (.one - DoubleDouble(small))).squareRoot()
      residual.append((p - (labels[sample] == 1 ? .one : .zero)) / root)
      for j in 0..<width { columns[j].append(root * x[j] * DoubleDouble(scaling?[j] ?? 1)) }
    }
    addPenalty(to: &columns, &residual, point, scaling, outputs: 1, scale: sampleWeight)
    return LeastSquaresModes(
      columns: columns, residual: residual, start: point, scale: sampleWeight)
  }

  private func softmaxModes(
    _ makeFeatures: () -> [DoubleDouble], _ labels: [Int32], classes: Int, _ point: [Double],
    _ scaling: [Double]?
  ) -> LeastSquaresModes? {
    let (n, d, m) = (sampleCount, featureCount, classes)
    let width = d + constants
    let size = width * m
    guard LeastSquaresModes.affords(rows: n * m + (l2 > 0 ? d * m : 0), columns: size) else {
      return nil
    }
    let features = makeFeatures()
    var columns = [[DoubleDouble]](repeating: [], count: size)
    var residual: [DoubleDouble] = []
    for sample in 0..<n {
      let x = (0..<width).map { $0 < d ? features[sample * d + $0] : .one }
      let logits = (0..<m).map { c in
        (0..<width).reduce(0.0) { $0 + x[$1].value * point[$1 * m + c] }
      }
      let peak = logits.max() ?? 0
      let weights = logits.map { DoubleDouble(exp($0 - peak)) }
      let total = weights.reduce(.zero, +)
      // Of sum one in this arithmetic, so that what no class notices stays exactly flat.
      let p = weights.map { $0 / total }
      let roots = p.map { $0.squareRoot() }
      guard p.allSatisfy({ $0.hi > 1e-200 }) else { return nil }
      for k in 0..<m {
        let isLabel = Int(labels[sample]) == k
        residual.append((p[k] - (isLabel ? .one : .zero)) / roots[k])
        for c in 0..<m {
          let factor = (c == k ? roots[k] : .zero) - p[c] * roots[k]
          for j in 0..<width {
            let index = j * m + c
            columns[index].append(factor * x[j] * DoubleDouble(scaling?[index] ?? 1))
          }
        }
      }
    }
    addPenalty(
      to: &columns, &residual, point, scaling, outputs: m, scale: sampleWeight)
    return LeastSquaresModes(
      columns: columns, residual: residual, start: point, scale: sampleWeight,
      sizes: siblingSizes(columns, outputs: m, scaling))
  }

  /// For each weight the length of the longest column of its feature: those of all classes add up to
  /// zero, so that the shortest holds the rounding of the longest.
  private func siblingSizes(
    _ columns: [[DoubleDouble]], outputs: Int, _ scaling: [Double]?
  ) -> [Double] {
    let lengths = columns.indices.map { index in
      columns[index].reduce(0) { $0 + $1.hi * $1.hi }.squareRoot() / (scaling?[index] ?? 1)
    }
    return columns.indices.map { index in
      let first = index / outputs * outputs
      return (lengths[first..<first + outputs].max() ?? 0) * (scaling?[index] ?? 1)
    }
  }

  /// A row `sqrt(c q_j / s) e_j` per weight, for the penalty `c/2 q_j w_j^2` beside `s/2 ||.||^2`.
  private func addPenalty(
    to columns: inout [[DoubleDouble]], _ residual: inout [DoubleDouble], _ point: [Double],
    _ scaling: [Double]?, outputs: Int, scale: Double
  ) {
    guard l2 > 0 else { return }
    for weight in 0..<featureCount * outputs {
      let strength = DoubleDouble.product(l2, penaltyScales?[weight / outputs] ?? 1)
      let root = (strength / DoubleDouble(scale)).squareRoot()
      for index in columns.indices {
        columns[index].append(
          index == weight ? root * DoubleDouble(scaling?[weight] ?? 1) : .zero)
      }
      residual.append(root * DoubleDouble(point[weight]))
    }
  }
}
