import Curvature
import Presentation
import TensorPrograms

/// An optimizer as it stands in a run that was begun elsewhere: with the state that it has gathered there, and
/// with rates and decays of their own for some parameters.
///
/// Its limit is that of the next step: for rates that differ, of the curvature divided by
/// `P_i / f_i` with the factor `f_i` of each rate.
/// Reference: Cohen et al., arXiv:2207.14484, for the preconditioned curvature.
public struct CarriedOptimizer: Optimizer {
  public let base: any Optimizer
  /// Updates that the state holds.
  public let updates: Int
  private let tensors: [String: [Double]]
  /// Factors of the rate, one per parameter tensor; nil for 1 everywhere.
  private let factors: [Double]?
  private let decays: [Double]?
  private let sizes: [Int]

  /// - Parameters:
  ///   - updates: steps that the state comes from; 0 for none.
  ///   - tensors: by the names of `Optimizer.initialState`, flat, in the order of the parameters; what is left
  ///     out starts as the optimizer starts it.
  ///   - rateFactors: what the rate is multiplied by, one per parameter tensor; nil for 1 everywhere.
  ///   - decays: decoupled weight decay, one per parameter tensor; nil for the optimizer's own.
  /// - Throws: `TrainingError` for a tensor that does not fit, or holds a number that is not finite.
  public init(
    _ base: any Optimizer, updates: Int, tensors: [String: [Double]],
    rateFactors: [Double]? = nil, decays: [Double]? = nil,
    parameters: [LossDefinition.Parameter]
  ) throws {
    let base: any Optimizer = (base as? Nesterov).map { AheadNesterov(ahead: $0) } ?? base
    guard updates >= 0 else {
      throw TrainingError.wrongState("it has taken \(updates) steps")
    }
    let known = Dictionary(grouping: base.initialState(parameters), by: \.name)
      .mapValues { $0.reduce(0) { $0 + $1.shape.count } }
    for (name, values) in tensors.sorted(by: { $0.key < $1.key }) {
      guard let count = known[name] else {
        throw TrainingError.wrongState(
          "\(base.name) keeps no '\(name)', but \(known.keys.sorted().joined(separator: ", "))")
      }
      guard values.count == count else {
        throw TrainingError.wrongState(
          "'\(name)' of \(base.name) has \(values.count) numbers and the loss takes \(count)")
      }
      guard values.allSatisfy(\.isFinite) else {
        throw TrainingError.wrongState(
          "'\(name)' of \(base.name) holds a number that is not finite")
      }
    }
    for (name, values) in [("factors of the rate", rateFactors), ("decays", decays)] {
      guard let values else { continue }
      guard values.count == parameters.count, values.allSatisfy({ $0.isFinite && $0 >= 0 }) else {
        throw TrainingError.wrongState(
          "its \(name) are not one number of 0 or more for each of the \(parameters.count) parameters"
        )
      }
    }
    self.base = base
    self.updates = updates
    self.tensors = tensors
    factors = rateFactors.flatMap { $0.allSatisfy { $0 == 1 } ? nil : $0 }
    self.decays = decays.flatMap { $0.allSatisfy { $0 == base.decay } ? nil : $0 }
    sizes = parameters.map(\.shape.count)
  }

  /// Of rates that differ the rule is another than the one that stands in the catalogue.
  public var name: String { factors == nil ? base.name : "\(base.name)-in-groups" }

  public var phrase: String {
    guard let decays else {
      return factors == nil ? base.phrase : "\(base.phrase) with the rates of your groups"
    }
    // Of decays that differ the rule's own is that of one group.
    var distinct: [Double] = []
    for decay in decays where !distinct.contains(decay) { distinct.append(decay) }
    let rule = base is AdamW ? "AdamW" : base.phrase
    let decay =
      "weight decay \(Wording.list(distinct.map { Wording.number($0) }))"
      + (distinct.count == 1 ? "" : " by group")
    return "\(rule) with \(decay)" + (factors == nil ? "" : " and the rates of your groups")
  }

  public var hyperparameters: [String: Double] { base.hyperparameters }

  public func initialState(_ parameters: [LossDefinition.Parameter]) -> [StateTensor] {
    var offsets: [String: Int] = [:]
    return base.initialState(parameters).map { tensor in
      guard let values = tensors[tensor.name] else { return tensor }
      let offset = offsets[tensor.name, default: 0]
      offsets[tensor.name] = offset + tensor.shape.count
      var carried = tensor
      carried.start = .values(Array(values[offset..<offset + tensor.shape.count]))
      return carried
    }
  }

  private func shifted(_ position: OptimizerPosition) -> OptimizerPosition {
    OptimizerPosition(
      definitions: position.definitions, parameters: position.parameters, state: position.state,
      rate: position.rate,
      rates: factors.map { factors in
        zip(position.rates, factors).map { $1 == 1 ? $0 : $0 * $1 }
      } ?? position.rates,
      step: updates == 0 ? position.step : position.step + Double(updates))
  }

  public func gradientPoint(_ position: OptimizerPosition) -> [Traced]? {
    base.gradientPoint(shifted(position))
  }

  public func update(_ step: OptimizerStep) -> OptimizerUpdate {
    let position = shifted(step.position)
    let decays = decays ?? step.decays
    let update = base.update(
      OptimizerStep(
        position: position, gradients: step.gradients, loss: step.loss, decays: decays,
        probe: step.probe, isProbed: step.isProbed))
    guard appliesDecay, !base.appliesDecay else { return update }
    return OptimizerUpdate(
      parameters: update.parameters.indices.map { index in
        decays[index] == 0
          ? update.parameters[index]
          : update.parameters[index]
            - position.rates[index] * (position.parameters[index] * decays[index])
      }, state: update.state)
  }

  public var decay: Double { decays?.max() ?? base.decay }
  /// Where rates or decays differ, which only this knows of.
  public var appliesDecay: Bool { base.appliesDecay || factors != nil || decays != nil }

  public var stability: StepRule? {
    factors == nil ? base.stability : base.stability?.preconditioned
  }

  public func stepFactor(rate: Double, eigenvalue: Double) -> StepFactor? {
    factors == nil ? base.stepFactor(rate: rate, eigenvalue: eigenvalue) : nil
  }

  public func preconditioner(state: (String) -> [Double], step: Int) -> [Double]? {
    let divided = base.preconditioner(state: state, step: step + updates)
    guard let factors else { return divided }
    guard divided != nil || base.stability?.isPreconditioned == false else { return nil }
    let flat = zip(factors, sizes).flatMap { [Double](repeating: $0, count: $1) }
    // What does not move is divided by infinity.
    return divided.map { zip($0, flat).map { $0 / $1 } } ?? flat.map { 1 / $0 }
  }

  /// The same of the state that it starts with; nil before the first update of an optimizer that divides by
  /// what it gathers.
  public var carriedPreconditioner: [Double]? {
    guard updates > 0 || base.stability?.isPreconditioned == false else { return nil }
    return preconditioner(state: { tensors[$0] ?? [] }, step: 0).flatMap {
      $0.count == sizes.reduce(0, +) ? $0 : nil
    }
  }

  public var hasBoundedSteps: Bool { base.hasBoundedSteps }
  public var findsItsRate: Bool { base.findsItsRate }
  public var curvatureProbe: CurvatureProbe? { base.curvatureProbe }
  public var renewalPeriod: Int? { base.renewalPeriod }

  public func renew(
    _ state: inout [[Double]], _ parameters: [LossDefinition.Parameter], step: Int
  ) {
    base.renew(&state, parameters, step: step + updates)
  }
}

/// Nesterov's momentum whose parameters are the points that the gradient is taken at:
/// `v <- b v + g(y)`, `y <- y - eta (g(y) + b v)`. The points are those of `Nesterov`'s gradients, with
/// `y = x - eta b v`, so that limit and forecast are the same.
///
/// Reference: Sutskever et al., "On the importance of initialization and momentum in deep learning" (2013), in
/// the form that frameworks keep.
struct AheadNesterov: Optimizer {
  let ahead: Nesterov

  var name: String { ahead.name }
  var phrase: String { ahead.phrase }
  var hyperparameters: [String: Double] { ahead.hyperparameters }
  var stability: StepRule? { ahead.stability }

  func initialState(_ parameters: [LossDefinition.Parameter]) -> [StateTensor] {
    ahead.initialState(parameters)
  }

  func update(_ step: OptimizerStep) -> OptimizerUpdate {
    step.eachParameter(slots: 1) { step in
      let velocity = step.state[0] * ahead.beta + step.gradient
      return (step.value - step.rate * (step.gradient + velocity * ahead.beta), [velocity])
    }
  }

  func stepFactor(rate: Double, eigenvalue: Double) -> StepFactor? {
    ahead.stepFactor(rate: rate, eigenvalue: eigenvalue)
  }
}
