import Curvature
import Training

/// How a caller's own optimizer stands where its loss is diagnosed.
public struct OptimizerStanding: Sendable {
  /// Updates that the state holds; 0 for an optimizer that has not begun.
  public var updates: Int
  /// Its tensors by the names of `Optimizer.initialState`, flat, in the order of the parameters.
  public var tensors: [String: [Double]]
  /// What the given rate is multiplied by, one per parameter tensor; nil for 1 everywhere.
  public var rateFactors: [Double]?
  /// Decoupled weight decay, one per parameter tensor; nil for the optimizer's own.
  public var decays: [Double]?

  public init(
    updates: Int = 0, tensors: [String: [Double]] = [:], rateFactors: [Double]? = nil,
    decays: [Double]? = nil
  ) {
    self.updates = updates
    self.tensors = tensors
    self.rateFactors = rateFactors
    self.decays = decays
  }
}

extension DiagnosisProblem {
  /// The optimizer of a request, as it stands at the problem's start.
  ///
  /// - Throws: `DiagnosisFailure` of kind `usage` where the state does not fit.
  func carried(_ optimizer: any Optimizer) throws -> any Optimizer {
    guard let standing else { return optimizer }
    do {
      return try CarriedOptimizer(
        optimizer, updates: standing.updates, tensors: standing.tensors,
        rateFactors: standing.rateFactors, decays: standing.decays, parameters: parameters)
    } catch let error as TrainingError {
      throw DiagnosisFailure(.usage, "\(error)")
    }
  }
}

extension StartedProblem {
  /// Why the limit of an optimizer that divides its steps is not known before a step; to be read after
  /// "depends on".
  var missingDivisor: (subject: String, next: String) {
    // Adam is what most people ask about: in its own words.
    let subject = optimizer.name == "adam" ? "its second moments" : "what it divides its steps by"
    return problem.isOfCaller
      ? (
        subject,
        "which it gathers from its first step on: diagnose again after some steps, with its state"
      ) : (subject, "run at least one step first with --at N")
  }
}
