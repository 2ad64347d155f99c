import Foundation
import LinearMaps

/// The loss as gradient descent sees it near a point: `f(x) - f* = sum_i w_i / (2 lambda_i)`, with
/// the weights `w_i = (q_i' g)^2` of the gradient's spectral measure.
///
/// `eigenvalues[i]` and `weights[i]` are the nodes and weights of a Gauss quadrature of that measure
/// (or all eigenpairs, where a dense solve is affordable); the weights add up to `||g||^2`.
/// Eigenvalues within `zeroThreshold` count as zero. Directions of zero or negative curvature have
/// no minimum on a quadratic, so they carry no gap; their weights are reported apart.
///
/// Reference: Golub and Meurant, *Matrices, Moments and Quadrature with Applications* (2010), ch. 6.
public struct QuadraticModel: Sendable, Equatable, Codable {
  public let eigenvalues: [Double]
  public let weights: [Double]
  /// Eigenvalues in `-zeroThreshold ... zeroThreshold` are taken for zero.
  public let zeroThreshold: Double

  /// - Precondition: as many weights as eigenvalues, all finite, weights and threshold `>= 0`.
  public init(eigenvalues: [Double], weights: [Double], zeroThreshold: Double = 0) {
    precondition(
      eigenvalues.count == weights.count,
      "\(eigenvalues.count) eigenvalues but \(weights.count) weights")
    precondition(
      eigenvalues.allSatisfy(\.isFinite) && weights.allSatisfy { $0.isFinite && $0 >= 0 },
      "a spectral measure has finite nodes and finite weights that are not negative")
    precondition(zeroThreshold >= 0, "the zero threshold \(zeroThreshold) is negative")
    self.eigenvalues = eigenvalues
    self.weights = weights
    self.zeroThreshold = zeroThreshold
  }

  /// Eigenvalues and weights `2 lambda gap` of a quadratic known from its data, where zero is zero.
  package init(_ modes: LeastSquaresModes) {
    self.init(
      eigenvalues: modes.modes.map(\.eigenvalue),
      weights: modes.modes.map { 2 * $0.eigenvalue * $0.gap })
  }

  /// The model of a measured spectral measure.
  ///
  /// Below `1e-280` a squared gradient has lost digits to underflow, and there is nothing to gain that the
  /// arithmetic could tell: its weights are zero.
  /// - Throws: `LinearMapError.tooLarge` where the squared gradient, a node or what the slope promises
  ///   overflows.
  package init(_ measure: SpectralMeasure, zeroThreshold: Double) throws {
    let total = measure.weights.reduce(0, +)
    guard total.isFinite, measure.nodes.allSatisfy(\.isFinite), zeroThreshold.isFinite else {
      throw LinearMapError.tooLarge(size: max(total, zeroThreshold))
    }
    self.init(
      eigenvalues: measure.nodes,
      weights: total < 1e-280 ? measure.weights.map { _ in 0 } : measure.weights,
      zeroThreshold: zeroThreshold)
  }

  /// `||g||^2`, the sum of all weights.
  public var squaredGradientNorm: Double { weights.reduce(0, +) }

  /// `f_0 - f* = sum_i w_i / (2 lambda_i)` over `lambda_i > zeroThreshold`: what descent can gain.
  public var initialGap: Double {
    reachable.reduce(0) { $0 + $1.weight / (2 * $1.eigenvalue) }
  }

  /// The part of `||g||^2` along directions of zero curvature: slope that a quadratic never flattens.
  public var flatWeight: Double { weight { abs($0) <= zeroThreshold } }

  /// The part of `||g||^2` along directions of negative curvature, where descent runs away.
  public var negativeWeight: Double { weight { $0 < -zeroThreshold } }

  /// Whether slopes within the zero threshold, beyond what rounding makes of none, may gain more than
  /// this: `w / (2 tau)` of a slope `w` within the threshold `tau`.
  package func hidesGains(_ gain: Double, precision: Double) -> Bool {
    let flat = eigenvalues.count { abs($0) <= zeroThreshold }
    let rounding = Double(flat) * 64 * precision * precision * squaredGradientNorm
    return zeroThreshold > 0 && max(0, flatWeight - rounding) / (2 * zeroThreshold) > gain
  }

  /// `g' H g = sum_i w_i lambda_i`.
  public var curvatureAlongGradient: Double {
    zip(eigenvalues, weights).reduce(0) { $0 + $1.0 * $1.1 }
  }

  /// `eta^2 / 2 g' H g`: by how much a step of descent gains less than its slope promises.
  public func truncationError(rate: Double) -> Double {
    rate * rate / 2 * curvatureAlongGradient
  }

  /// The course of full-batch descent on this model, at any step without running the others.
  ///
  /// Momentum is heavy-ball, `v = b v + g`, `x -= rate v`, from rest.
  /// - Precondition: `rate` finite, `0 <= momentum < 1`.
  public func forecast(rate: Double, momentum: Double = 0) -> Forecast {
    precondition(momentum >= 0 && momentum < 1, "the momentum \(momentum) is not in [0, 1)")
    return Forecast(model: self, rate: rate) {
      StepFactor(rate: rate, eigenvalue: $0, momentum: momentum)
    }
  }

  /// The course of an optimizer's full-batch steps on this model; nil where it has no closed form.
  public func forecast(rate: Double, by optimizer: any Optimizer) -> Forecast? {
    guard optimizer.hasForecast else { return nil }
    return Forecast(model: self, rate: rate) {
      optimizer.stepFactor(rate: rate, eigenvalue: $0)!
    }
  }

  package struct Mode: Sendable {
    package let eigenvalue: Double
    package let weight: Double
  }

  /// Modes with curvature above the threshold and a slope.
  package var reachable: [Mode] {
    zip(eigenvalues, weights).compactMap { eigenvalue, weight in
      eigenvalue > zeroThreshold && weight > 0
        ? Mode(eigenvalue: eigenvalue, weight: weight) : nil
    }
  }

  private func weight(where belongs: (Double) -> Bool) -> Double {
    zip(eigenvalues, weights).reduce(0) { belongs($1.0) ? $0 + $1.1 : $0 }
  }
}
