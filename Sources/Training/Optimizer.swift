import Curvature
import TensorPrograms

/// An update rule as a tensor program, so that a whole training step runs in one call, on any executor,
/// and can be batched over rates.
///
/// An optimizer also states what is known of it: where it stops being stable, how it moves on a
/// quadratic, by what it divides. Whatever theory has no answer for it leaves at the default.
public protocol Optimizer: Sendable {
  /// The name in the catalogue.
  var name: String { get }

  /// The method in words, with what was set: `heavy-ball momentum 0.9`.
  var phrase: String { get }

  /// The values of the catalogue's hyperparameters, by name.
  var hyperparameters: [String: Double] { get }

  /// The tensors kept between steps.
  func initialState(_ parameters: [LossDefinition.Parameter]) -> [StateTensor]

  /// Where the gradient is taken; nil for the parameters themselves.
  func gradientPoint(_ position: OptimizerPosition) -> [Traced]?

  /// One step.
  func update(_ step: OptimizerStep) -> OptimizerUpdate

  /// Which rates are stable along a curvature; nil where nothing is known.
  var stability: StepRule? { get }

  /// How the error along one eigen-direction of a quadratic goes on, `e_k = p_k e_0`; nil where there is
  /// no closed form.
  func stepFactor(rate: Double, eigenvalue: Double) -> StepFactor?

  /// The diagonal `P` that a step is divided by after `step >= 1` steps, from the state as
  /// `TrainingRun.state` gives it by name; nil where a step is divided by nothing.
  func preconditioner(state: (String) -> [Double], step: Int) -> [Double]?

  /// Whether a step's length is bounded by the rate, however steep the loss: such a run comes back from
  /// wherever it jumps to.
  var hasBoundedSteps: Bool { get }

  /// Decoupled weight decay: the share of each weight, times the rate, that a step takes off beside the
  /// gradient's part. The step does it, `x <- x - eta decay x` with the weights before it.
  var decay: Double { get }

  /// Whether `update` itself takes the decay off, by `OptimizerStep.decays`.
  var appliesDecay: Bool { get }

  /// Whether it finds the length of its steps by itself, so that the rate is a factor of that, 1 as a rule.
  var findsItsRate: Bool { get }

  /// What it wants to know of the Hessian's diagonal; nil for nothing.
  var curvatureProbe: CurvatureProbe? { get }

  /// Steps between two renewals of its state outside of the program, the first after the first step; nil for
  /// none.
  var renewalPeriod: Int? { get }

  /// Renews the state after a step, where `renewalPeriod` divides the number of steps before it.
  ///
  /// - Parameter state: the tensors of `initialState` in its order, each row-major.
  func renew(_ state: inout [[Double]], _ parameters: [LossDefinition.Parameter], step: Int)
}

extension Optimizer {
  public var hyperparameters: [String: Double] { [:] }
  public func initialState(_ parameters: [LossDefinition.Parameter]) -> [StateTensor] { [] }
  public func gradientPoint(_ position: OptimizerPosition) -> [Traced]? { nil }
  public var stability: StepRule? { nil }
  public func stepFactor(rate: Double, eigenvalue: Double) -> StepFactor? { nil }
  public func preconditioner(state: (String) -> [Double], step: Int) -> [Double]? { nil }
  public var hasBoundedSteps: Bool { false }
  public var decay: Double { 0 }
  public var appliesDecay: Bool { false }
  public var findsItsRate: Bool { false }
  public var curvatureProbe: CurvatureProbe? { nil }
  public var renewalPeriod: Int? { nil }
  public func renew(
    _ state: inout [[Double]], _ parameters: [LossDefinition.Parameter], step: Int
  ) {}

  /// Whether each step is the gradient at the parameters times the rate.
  public var isPlainDescent: Bool { stability == .gradientDescent }

  /// Whether the method's course on a quadratic is known in closed form.
  public var hasForecast: Bool { stepFactor(rate: 1, eigenvalue: 1) != nil }
}

/// A tensor that an optimizer keeps between steps, in the precision of the parameters.
public struct StateTensor: Sendable {
  public enum Start: Sendable {
    case constant(Double)
    /// Row-major, as many as the shape has entries.
    case values([Double])
    /// As the parameter at this position starts.
    case parameter(Int)
  }

  /// Tensors of one name, in the order of the parameters, are one vector: `m`, `v`.
  public var name: String
  public var shape: Shape
  public var start: Start

  public init(_ name: String, _ shape: Shape, start: Start = .constant(0)) {
    if case .values(let values) = start {
      precondition(
        values.count == shape.count, "\(values.count) numbers for the state \(name) of \(shape)")
    }
    self.name = name
    self.shape = shape
    self.start = start
  }

  /// One tensor of each name per parameter, of its shape, zero at the start.
  public static func zeros(
    _ names: String..., like parameters: [LossDefinition.Parameter]
  ) -> [StateTensor] {
    names.flatMap { name in parameters.map { StateTensor(name, $0.shape) } }
  }
}

/// Where training stands before a step, as traced values.
public struct OptimizerPosition {
  /// Names, shapes and roles of the parameters.
  public let definitions: [LossDefinition.Parameter]
  public let parameters: [Traced]
  /// In the order of `initialState`.
  public let state: [Traced]
  /// The learning rate, a scalar.
  public let rate: Traced
  /// That of each parameter: a scalar, or a tensor of its shape.
  public let rates: [Traced]
  /// 1 for the first step, a scalar.
  public let step: Traced

  /// The tensors of the name at this position of `StateTensor.zeros`, one per parameter.
  public func state(_ index: Int) -> [Traced] {
    let count = parameters.count
    return Array(state[index * count..<(index + 1) * count])
  }
}

/// An estimate of the curvature's diagonal that an optimizer asks for, of the samples of the step at the
/// parameters before it: in the first step and every so many from there.
public enum CurvatureProbe: Sendable, Equatable {
  /// `u * (H u)` with entries of `u` drawn from -1 and 1.
  ///
  /// Reference: Bekas, Kokiopoulou and Saad, "An estimator for the diagonal of a matrix" (2007).
  case hutchinson(every: Int)
  /// `B g * g` with the gradient `g` of the mean loss of `B` samples at targets drawn from the model: the
  /// diagonal of the Gauss-Newton matrix in the mean.
  ///
  /// Reference: Liu et al., "Sophia", arXiv:2305.14342, algorithm 2.
  case gaussNewton(every: Int)

  public var period: Int {
    switch self {
    case .hutchinson(let every), .gaussNewton(let every): every
    }
  }
}

/// A step to be taken: all parameters at once, with their gradients.
public struct OptimizerStep {
  public let position: OptimizerPosition
  /// Of the loss at `Optimizer.gradientPoint`, one per parameter, clipped where that was asked for.
  public let gradients: [Traced]
  /// The loss there, a scalar.
  public let loss: Traced
  /// The decoupled weight decay of each parameter, 0 for those that a mask leaves out.
  public let decays: [Double]
  /// What `Optimizer.curvatureProbe` asked for, one per parameter; zero in steps without a
  /// probe.
  public let probe: [Traced]?
  /// 1 in steps with a probe, else 0; a scalar.
  public let isProbed: Traced?

  public var definitions: [LossDefinition.Parameter] { position.definitions }
  public var parameters: [Traced] { position.parameters }
  public var step: Traced { position.step }
  public var rate: Traced { position.rate }
  public var rates: [Traced] { position.rates }

  /// The update of a rule that treats each parameter by itself.
  ///
  /// - Parameters:
  ///   - slots: state tensors of each parameter, as `StateTensor.zeros` made them.
  ///   - rule: from a parameter, its gradient, its rate and its state to parameter and state anew.
  public func eachParameter(
    slots: Int, _ rule: (ParameterStep) -> (parameter: Traced, state: [Traced])
  ) -> OptimizerUpdate {
    var moved: [Traced] = []
    var kept = [[Traced]](repeating: [], count: slots)
    for index in parameters.indices {
      let result = rule(parameter(index, slots: slots))
      moved.append(result.parameter)
      for (slot, value) in result.state.enumerated() { kept[slot].append(value) }
    }
    return OptimizerUpdate(parameters: moved, state: kept.flatMap { $0 })
  }

  /// One parameter with what belongs to it, where the state is `slots` tensors of each.
  public func parameter(_ index: Int, slots: Int) -> ParameterStep {
    parameter(index, state: (0..<slots).map { position.state(slot: $0, of: index) })
  }

  /// One parameter with the state given.
  func parameter(_ index: Int, state: [Traced]) -> ParameterStep {
    ParameterStep(
      definition: definitions[index], value: parameters[index], gradient: gradients[index],
      rate: rates[index], decay: decays[index], probe: probe?[index], state: state)
  }
}

/// A step of one parameter.
public struct ParameterStep {
  public let definition: LossDefinition.Parameter
  public let value: Traced
  public let gradient: Traced
  /// A scalar, or a tensor of the parameter's shape.
  public let rate: Traced
  public let decay: Double
  public let probe: Traced?
  public let state: [Traced]
}

extension OptimizerPosition {
  fileprivate func state(slot: Int, of parameter: Int) -> Traced {
    state[slot * parameters.count + parameter]
  }
}

/// What a step made of parameters and state.
public struct OptimizerUpdate {
  public let parameters: [Traced]
  /// In the order of `initialState`.
  public let state: [Traced]

  public init(parameters: [Traced], state: [Traced] = []) {
    self.parameters = parameters
    self.state = state
  }
}
