import Curvature
import LinearMaps
import TensorPrograms

/// A first-order optimizer, then a method on all samples: what `--optimizer adam --then lbfgs` asks for.
public struct HybridPlan: Sendable {
  public var first: any Optimizer
  public var then: any IterativeMethod
  /// When the one hands over to the other.
  public var criterion: SwitchCriterion
  /// How often the second method may begin anew after a step that is not finite.
  public var resets = 3
  /// Whether the second method goes on in float64 where float32 ends it.
  public var usesDouble = true
  /// Draws the groups of samples whose gradients are compared.
  public var seed: UInt64 = 0

  public init(
    _ first: any Optimizer, then: any IterativeMethod,
    criterion: SwitchCriterion = SwitchCriterion()
  ) {
    self.first = first
    self.then = then
    self.criterion = criterion
  }

  /// `adam, then lbfgs`.
  public var name: String { "\(first.name), then \(then.name)" }
  /// `Adam, then L-BFGS with 10 pairs`.
  public var phrase: String { "\(first.phrase), then \(then.phrase)" }

  /// All numbers that the plan is made of, by name: `first.beta1`, `then.pairs`, `switch.period`.
  public var hyperparameters: [String: Double] {
    var all: [String: Double] = [
      "resets": Double(resets), "double": usesDouble ? 1 : 0, "seed": Double(seed),
    ]
    for (name, value) in criterion.hyperparameters { all["switch.\(name)"] = value }
    for (name, value) in first.hyperparameters { all["first.\(name)"] = value }
    for (name, value) in then.hyperparameters { all["then.\(name)"] = value }
    return all
  }
}

/// Why there is no such plan: one sentence and the next step.
public struct HybridError: Error, Equatable, Sendable, CustomStringConvertible {
  public let fault: String
  public var description: String { "The change of methods cannot be made: \(fault)." }
}

extension Objective {
  /// The same loss on the same samples, computed in float64.
  ///
  /// - Throws: `ProgramError` where the loss holds numbers of another precision.
  func inDouble() throws -> Objective<Double> {
    try Objective<Double>(
      definition,
      data: data.map { tensor in
        tensor.element == .float32
          ? Tensor(tensor.doubles, type: TensorType(.float64, tensor.shape)) : tensor
      }, executor: executor, memoryBudget: memoryBudget, context: context, reduction: reduction)
  }
}
