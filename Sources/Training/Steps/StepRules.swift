import Curvature
import TensorPrograms

/// What a training step does to gradients, rates and weights beside the optimizer's update; it is part of the
/// step's program.
public struct StepRules: Sendable, Equatable {
  /// Each entry of the gradient is held within plus and minus this, before `clipNorm`.
  public var clipValue: Double?
  /// The gradient of all parameters is scaled down to this Euclidean norm where it is longer.
  public var clipNorm: Double?
  /// Decoupled weight decay; nil for the optimizer's own.
  public var weightDecay: Double?
  /// Whether a parameter decays, in the order of the parameters; nil: all do, as in
  /// PyTorch's AdamW.
  public var decays: [Bool]?
  /// Factors of the rate, in the order of the parameters; nil for 1 everywhere.
  public var rateFactors: [RateFactor]?
  /// Pieces that a mini-batch is cut into, whose gradients are added up one after the other: a batch larger than
  /// memory holds at once.
  public var accumulation = 1
  /// Of the signs and targets that an optimizer's curvature probes draw.
  public var probeSeed: UInt64 = 0

  public init() {}

  /// The decay of each parameter.
  func decays(
    _ optimizer: any Optimizer, _ parameters: [LossDefinition.Parameter]
  ) -> [Double] {
    let decay = weightDecay ?? optimizer.decay
    return parameters.indices.map { (decays?[$0] ?? true) ? decay : 0 }
  }

  /// The factor of each entry of the flat parameters; nil for 1 everywhere.
  func flatRateFactors(_ parameters: [LossDefinition.Parameter]) -> [Double]? {
    rateFactors.map { factors in
      zip(factors, parameters).flatMap { factor, parameter -> [Double] in
        switch factor {
        case .scalar(let value): [Double](repeating: value, count: parameter.shape.count)
        case .tensor(let values): values
        }
      }
    }
  }

  /// The rate of each parameter, from the scalar one.
  func rates(_ rate: Traced, _ parameters: [LossDefinition.Parameter]) -> [Traced] {
    guard let rateFactors else { return parameters.map { _ in rate } }
    return zip(rateFactors, parameters).map { factor, parameter in
      switch factor {
      case .scalar(1): rate
      case .scalar(let factor): rate * factor
      case .tensor(let factors):
        rate
          * rate.builder.constant(
            Tensor(factors, type: TensorType(rate.element, parameter.shape)))
      }
    }
  }

  /// The Euclidean norm of all gradients; where they are clipped, without squares that overflow.
  func norm(_ gradients: [Traced]) -> Traced {
    guard clipValue == nil, clipNorm == nil else { return Self.norm(gradients) }
    return Self.squaredNorm(gradients).sqrt()
  }

  private static func squaredNorm(_ gradients: [Traced]) -> Traced {
    gradients.dropFirst().reduce(gradients[0].square().sum()) { $0 + $1.square().sum() }
  }

  /// `s sqrt(sum (g / s)^2)` with the largest magnitude `s`: gradients of a loss that runs away have squares
  /// beyond float32 while they are finite themselves, and that is where clipping is wanted.
  private static func norm(_ gradients: [Traced]) -> Traced {
    let largest = gradients.map { $0.abs().max() }
    let scale = largest.dropFirst().reduce(largest[0]) { $0.maximum($1) }
    // A gradient of zero is divided by one.
    let divisor = scale.compare(.greater, scale.zeros()).select(scale, scale.scalar(1))
    return divisor * squaredNorm(gradients.map { $0 / divisor }).sqrt()
  }

  /// Stops a program that gives rules for another number of parameters or entries than there are.
  func check(_ parameters: [LossDefinition.Parameter]) {
    if let decays {
      precondition(
        decays.count == parameters.count,
        "a decay mask of \(decays.count) for \(parameters.count) parameters")
    }
    guard let rateFactors else { return }
    precondition(
      rateFactors.count == parameters.count,
      "\(rateFactors.count) factors of the rate for \(parameters.count) parameters")
    for (factor, parameter) in zip(rateFactors, parameters) {
      guard case .tensor(let values) = factor else { continue }
      precondition(
        values.count == parameter.shape.count,
        "\(values.count) factors of the rate for the \(parameter.shape.count) entries of "
          + "\(parameter.name)")
    }
  }

  /// The gradients that the optimizer sees: `g min(1, clipNorm / |g|)`, of entries within `clipValue`.
  func clipped(_ gradients: [Traced]) -> [Traced] {
    var gradients = gradients
    if let clipValue {
      gradients = gradients.map {
        let bound = $0.builder.full(clipValue, $0.type)
        return $0.minimum(bound).maximum(-bound)
      }
    }
    guard let clipNorm else { return gradients }
    let norm = Self.norm(gradients)
    // A gradient of zero stays as it is: the larger of norm and bound is divided by.
    let factor = norm.scalar(clipNorm) / norm.maximum(norm.scalar(clipNorm))
    return gradients.map { $0 * factor }
  }
}

/// A factor of the learning rate for one parameter.
public enum RateFactor: Sendable, Equatable {
  case scalar(Double)
  /// One per entry, row-major: every weight its own clock.
  case tensor([Double])
}
