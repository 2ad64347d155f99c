import Curvature
import TensorPrograms

/// `x <- x - eta P^-1 g` with a fixed diagonal `P^-1`; no entry of the catalogue, since it is made of a
/// measured diagonal.
public struct DiagonalDescent: Optimizer {
  public let name = "diagonal-preconditioner"
  public let phrase = "gradient descent with a diagonal preconditioner"
  /// The diagonal of `P^-1`, flat.
  public let inverse: [Double]

  public init(inverse: [Double]) { self.inverse = inverse }

  public func initialState(_ parameters: [LossDefinition.Parameter]) -> [StateTensor] {
    var offset = 0
    return parameters.map { parameter in
      defer { offset += parameter.shape.count }
      return StateTensor(
        "inverse", parameter.shape,
        start: .values(Array(inverse[offset..<offset + parameter.shape.count])))
    }
  }

  public func update(_ step: OptimizerStep) -> OptimizerUpdate {
    step.eachParameter(slots: 1) { step in
      (step.value - step.rate * (step.state[0] * step.gradient), step.state)
    }
  }

  public func preconditioner(state: (String) -> [Double], step: Int) -> [Double]? {
    inverse.map { 1 / $0 }
  }
}
