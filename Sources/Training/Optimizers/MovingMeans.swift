import Curvature
import Foundation
import TensorPrograms

/// Adam's direction from moving means of the gradient and of its square, which its kin share.
struct AdamMeans {
  let beta1: Double
  let beta2: Double
  let epsilon: Double

  init(beta1: Double, beta2: Double, epsilon: Double) {
    precondition(0 <= beta1 && beta1 < 1, "beta1 \(beta1) is outside of [0, 1)")
    precondition(0 <= beta2 && beta2 < 1, "beta2 \(beta2) is outside of [0, 1)")
    precondition(epsilon > 0, "epsilon \(epsilon) is not above 0")
    self.beta1 = beta1
    self.beta2 = beta2
    self.epsilon = epsilon
  }

  /// Of the values of a catalogue's entry.
  init(_ values: [String: Double]) {
    self.init(beta1: values["beta1"]!, beta2: values["beta2"]!, epsilon: values["epsilon"]!)
  }

  var hyperparameters: [String: Double] {
    ["beta1": beta1, "beta2": beta2, "epsilon": epsilon]
  }

  /// `rate (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + eps)`.
  func move(_ rate: Traced, _ m: Traced, _ v: Traced, count: Traced) -> Traced {
    m * (rate / count.biasCorrection(beta1)) / root(v, count: count)
  }

  /// `sqrt(v / (1 - b2^t)) + eps`, the corrections worked into single numbers first: each pass over a tensor costs.
  func root(_ v: Traced, count: Traced) -> Traced {
    v.sqrt() * (1 / count.biasCorrection(beta2).sqrt()) + epsilon
  }

  /// What a step is divided by, `(1 - b1^t) (sqrt(v / (1 - b2^t)) + eps)`, after `step` steps.
  ///
  /// Reference: Cohen et al., arXiv:2207.14484.
  func diagonal(_ secondMoments: [Double], step: Int) -> [Double]? {
    guard step >= 1, secondMoments.allSatisfy({ $0 >= 0 }) else { return nil }
    let first = biasCorrection(beta1, step)
    return roots(secondMoments, step: step).map { first * $0 }
  }

  /// `sqrt(v / (1 - b2^t)) + eps`.
  func roots(_ secondMoments: [Double], step: Int) -> [Double] {
    let second = biasCorrection(beta2, step)
    return secondMoments.map { ($0 / second).squareRoot() + epsilon }
  }
}

/// `1 - beta^t`: what a moving mean that started at zero has of all weight after `step` steps.
func biasCorrection(_ beta: Double, _ step: Int) -> Double {
  -expm1(Double(step) * Foundation.log(beta))
}

extension Traced {
  /// `1 - beta^t` of a number of steps `t`, by way of the logarithm in double precision: in float32 a beta near 1
  /// is rounded to where `1 - beta` has few digits left, or none.
  func biasCorrection(_ beta: Double) -> Traced {
    beta == 0 ? scalar(1) : -(self * Foundation.log(beta)).unary(.expm1)
  }
}

extension ParameterStep {
  /// The mean in the state's `slot`, moved towards the gradient: `b m + (1 - b) g`.
  func mean(_ slot: Int, keeping beta: Double) -> Traced {
    state[slot] * beta + gradient * (1 - beta)
  }

  /// `b v + (1 - b) g^2`.
  func meanSquare(_ slot: Int, keeping beta: Double) -> Traced {
    state[slot] * beta + gradient.square() * (1 - beta)
  }
}

extension Hyperparameter {
  static func beta1(_ standard: Double = 0.9) -> Hyperparameter {
    Hyperparameter(
      "beta1", standard, .from(0, below: 1), "the share of the mean gradient that a step keeps")
  }

  static func beta2(_ standard: Double = 0.999) -> Hyperparameter {
    Hyperparameter(
      "beta2", standard, .from(0, below: 1), "the share of the mean square that a step keeps")
  }

  static func epsilon(_ standard: Double = 1e-8) -> Hyperparameter {
    Hyperparameter("epsilon", standard, .above(0), "added to the root of the mean square")
  }

  /// Adam's three.
  static let adam = [beta1(), beta2(), epsilon()]

  static func weightDecay(_ standard: Double) -> Hyperparameter {
    Hyperparameter(
      "weight-decay", standard, .atLeast(0),
      "the share of each weight, times the rate, that a step takes off beside the gradient's part")
  }
}
