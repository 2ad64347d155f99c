import Curvature
import TensorPrograms

/// Polyak's step: `x <- x - eta min((f - f*) / |g|^2, most) g`, the length at which the tangent of the loss
/// reaches the least loss `f*`, which has to be known; for a network that can fit its data, 0.
///
/// On batches it is the stochastic Polyak step.
/// Reference: Polyak, "Introduction to Optimization" (1987), section 5.3; Loizou et al., "Stochastic Polyak
/// Step-size for SGD", arXiv:2002.10542; defaults of optax's `polyak_sgd`.
public struct Polyak: Optimizer {
  public static let entry = OptimizerEntry(
    "polyak", formula: "x <- x - rate min((f - minimum) / |g|^2, largest) g",
    hyperparameters: [
      Hyperparameter("minimum", 0, .any, "the least value that the loss has"),
      Hyperparameter("largest", 1, .above(0), "the largest length of a step in gradients"),
    ]
  ) { Polyak(minimum: $0["minimum"]!, largest: $0["largest"]!) }

  public let name = "polyak"
  public let phrase = "Polyak's step"
  public let minimum: Double
  public let largest: Double

  public init(minimum: Double = 0, largest: Double = 1) {
    precondition(
      minimum.isFinite && largest > 0, "Polyak's step needs a minimum and a bound above 0")
    self.minimum = minimum
    self.largest = largest
  }

  public var findsItsRate: Bool { true }
  public var hyperparameters: [String: Double] { ["minimum": minimum, "largest": largest] }

  public func update(_ step: OptimizerStep) -> OptimizerUpdate {
    let squares = step.gradients.map { $0.square().sum() }
    let square = squares.dropFirst().reduce(squares[0], +)
    // Where the gradient is zero there is no step, whatever the gap.
    let length = square.compare(.greater, square.zeros()).select(
      ((step.loss - minimum) / square).minimum(square.scalar(largest)), square.zeros())
    return step.eachParameter(slots: 0) {
      ($0.value - $0.rate * length * $0.gradient, [])
    }
  }
}
