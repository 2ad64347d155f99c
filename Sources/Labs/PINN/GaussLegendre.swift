import Foundation
import LinearMaps

/// Nodes and weights of Gauss's quadrature on an interval, exact for polynomials of degree
/// `2 count - 1`; the weights add up to 1, so that a sum is the mean over the interval.
///
/// Nodes are the roots of the Legendre polynomial, by Newton's method from Tricomi's estimates.
/// Reference: Abramowitz and Stegun, "Handbook of Mathematical Functions", 25.4.29 and 22.16.6.
public struct GaussLegendre: Sendable, Equatable {
  /// Ascending.
  public let nodes: [Double]
  public let weights: [Double]

  /// - Precondition: `count >= 1`.
  public init(_ count: Int, on interval: ClosedRange<Double>) {
    precondition(count >= 1, "a quadrature has at least one node")
    let (low, width) = (interval.lowerBound, interval.upperBound - interval.lowerBound)
    var (nodes, weights): ([Double], [Double]) = ([], [])
    for index in 0..<count {
      var x = -cos(.pi * (Double(index) + 0.75) / (Double(count) + 0.5))
      var slope = 0.0
      for _ in 0..<100 {
        // Three-term recurrence: (k + 1) P_{k+1} = (2k + 1) x P_k - k P_{k-1}.
        var (before, value) = (1.0, x)
        for k in 1..<max(count, 1) {
          let k = Double(k)
          (before, value) = (value, ((2 * k + 1) * x * value - k * before) / (k + 1))
        }
        slope = Double(count) * (x * value - before) / (x * x - 1)
        let step = value / slope
        x -= step
        if abs(step) < 1e-16 { break }
      }
      nodes.append(low + width * (x + 1) / 2)
      weights.append(1 / ((1 - x * x) * slope * slope))
    }
    self.nodes = nodes
    self.weights = weights
  }
}

/// Points with weights that add up to 1: a mean over a part of the domain.
public struct QuadraturePoints: Sendable, Equatable {
  public var points: [[Double]]
  public var weights: [Double]

  /// The product of one rule per axis, the last axis fastest; an axis with one number is held there.
  public init(_ axes: [Axis]) {
    points = [[]]
    weights = [1]
    for axis in axes {
      let rule = axis.rule
      points = points.flatMap { point in rule.map { point + [$0.node] } }
      weights = weights.flatMap { weight in rule.map { weight * $0.weight } }
    }
  }

  /// `count` points drawn uniformly from a box, each weighing the same.
  public init(drawn count: Int, from box: [ClosedRange<Double>], seed: UInt64) {
    var generator = SeededGenerator(seed: seed)
    points = (0..<count).map { _ in
      box.map { $0.lowerBound + ($0.upperBound - $0.lowerBound) * generator.nextUniform() }
    }
    weights = [Double](repeating: 1 / Double(count), count: count)
  }

  /// How one coordinate runs.
  public enum Axis: Sendable, Equatable {
    case gauss(Int, ClosedRange<Double>)
    /// Equal steps with equal weights, both ends included.
    case even(Int, ClosedRange<Double>)
    case at(Double)

    var rule: [(node: Double, weight: Double)] {
      switch self {
      case .gauss(let count, let interval):
        let gauss = GaussLegendre(count, on: interval)
        return Array(zip(gauss.nodes, gauss.weights)).map { (node: $0.0, weight: $0.1) }
      case .even(let count, let interval):
        let step = (interval.upperBound - interval.lowerBound) / Double(max(1, count - 1))
        return (0..<count).map { (interval.lowerBound + Double($0) * step, 1 / Double(count)) }
      case .at(let value): return [(value, 1)]
      }
    }

    var interval: ClosedRange<Double> {
      switch self {
      case .gauss(_, let interval), .even(_, let interval): interval
      case .at(let value): value...value
      }
    }

    /// The same with `factor` times the points.
    func refined(_ factor: Int) -> Axis {
      switch self {
      case .gauss(let count, let interval): .gauss(factor * count, interval)
      case .even(let count, let interval): .even(factor * (count - 1) + 1, interval)
      case .at: self
      }
    }
  }
}
