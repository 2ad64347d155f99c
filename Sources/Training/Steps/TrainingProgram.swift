import Curvature
import LinearMaps
import TensorPrograms

/// The memory of a run: two copies of parameters and state, between which its steps go, and what they read
/// and report.
final class TrainingMemory<Scalar: LinearMapScalar> {
  /// The flat parameters, then the state tensors.
  let copies: [UnsafeMutablePointer<Scalar>]
  /// Where the gradient of the last step was taken, for an optimizer that takes it elsewhere.
  let gradientPoint: UnsafeMutablePointer<Scalar>
  /// The last estimate of the curvature's diagonal, for an optimizer that asks for one; zeros in steps
  /// without.
  let probe: UnsafeMutablePointer<Scalar>
  /// rate, step, loss, gradient norm, whether the step has a probe.
  let scalars: UnsafeMutablePointer<Scalar>
  let parameterTypes: [TensorType]
  let stateTypes: [TensorType]
  let parameterCount: Int
  let count: Int
  let hasProbe: Bool
  /// Updates that the state holds, which probes are due by.
  var updates = 0

  init(_ parameters: [TensorType], _ state: [TensorType], hasProbe: Bool) {
    self.hasProbe = hasProbe
    func numbers(_ types: [TensorType]) -> Int { types.reduce(0) { $0 + $1.shape.count } }
    parameterTypes = parameters
    stateTypes = state
    parameterCount = numbers(parameters)
    count = parameterCount + numbers(state)
    let size = count
    copies = (0..<2).map { _ in
      let copy = UnsafeMutablePointer<Scalar>.allocate(capacity: max(1, size))
      copy.initialize(repeating: 0, count: size)
      return copy
    }
    gradientPoint = .allocate(capacity: max(1, parameterCount))
    gradientPoint.initialize(repeating: 0, count: parameterCount)
    probe = .allocate(capacity: max(1, parameterCount))
    probe.initialize(repeating: 0, count: parameterCount)
    scalars = .allocate(capacity: 5)
    scalars.initialize(repeating: 0, count: 5)
  }

  deinit {
    for copy in copies { copy.deallocate() }
    gradientPoint.deallocate()
    probe.deallocate()
    scalars.deallocate()
  }

  private func views(_ types: [TensorType], _ base: UnsafeMutablePointer<Scalar>) -> [TensorView] {
    var offset = 0
    return types.map { type in
      defer { offset += type.shape.count }
      return TensorView(base + offset, type: type)
    }
  }

  func numbers(_ position: UnsafePointer<Scalar>) -> [Scalar] {
    Array(UnsafeBufferPointer(start: position, count: parameterCount))
  }

  /// Takes over a gradient that was computed elsewhere, and returns the loss that came with it.
  ///
  /// - Throws: `CurvatureError.wrongLength`.
  func fill(
    _ gradient: UnsafeMutablePointer<Scalar>, with found: (value: Double, gradient: [Scalar])
  ) throws -> Double {
    guard found.gradient.count == parameterCount else {
      throw CurvatureError.wrongLength(
        "gradient", given: found.gradient.count, wanted: parameterCount)
    }
    found.gradient.withUnsafeBufferPointer {
      gradient.update(from: $0.baseAddress!, count: $0.count)
    }
    return found.value
  }

  /// One view per parameter onto a flat vector.
  func views(of flat: UnsafeMutablePointer<Scalar>) -> [TensorView] { views(parameterTypes, flat) }

  /// Parameters and state of one copy.
  func block(_ copy: Int) -> [TensorView] { views(parameterTypes + stateTypes, copies[copy]) }
  var pointViews: [TensorView] { views(parameterTypes, gradientPoint) }

  /// What a step reads beside parameters, state and data: rate, step, and where there are probes, whether this
  /// step has one, and that.
  var control: [TensorView] {
    [scalar(0), scalar(1)] + (hasProbe ? [scalar(4)] + views(parameterTypes, probe) : [])
  }
  var report: [TensorView] { [loss, scalar(3)] }
  var loss: TensorView { scalar(2) }
  private func scalar(_ index: Int) -> TensorView {
    TensorView(scalars + index, type: TensorType(Scalar.element, .scalar))
  }
}

/// An optimizer's step over one gradient, traced.
struct TracedStep {
  let optimizer: any Optimizer
  let rules: StepRules
  let definitions: [LossDefinition.Parameter]
  let parameterTypes: [TensorType]
  let stateTypes: [TensorType]

  private var scalar: TensorType { TensorType(parameterTypes[0].element, .scalar) }
  private var hasProbe: Bool { optimizer.curvatureProbe != nil }
  /// Rate, step; whether there is a probe, and the probe.
  private var controlTypes: [TensorType] {
    [scalar, scalar] + (hasProbe ? [scalar] + parameterTypes : [])
  }

  /// The probe of a step and whether it has one, among its arguments.
  private func probe(_ arguments: [Traced]) -> (values: [Traced], isProbed: Traced)? {
    guard hasProbe else { return nil }
    let at = parameterTypes.count + stateTypes.count + 2
    return (Array(arguments[at + 1...at + parameterTypes.count]), arguments[at])
  }

  private func position(_ arguments: [Traced]) -> (OptimizerPosition, rest: [Traced]) {
    let (n, m) = (parameterTypes.count, stateTypes.count)
    let rate = arguments[n + m]
    return (
      OptimizerPosition(
        definitions: definitions, parameters: Array(arguments.prefix(n)),
        state: Array(arguments[n..<n + m]), rate: rate, rates: rules.rates(rate, definitions),
        step: arguments[n + m + 1]),
      Array(arguments.dropFirst(n + m + controlTypes.count))
    )
  }

  private func point(_ position: OptimizerPosition) -> [Traced]? {
    guard let point = optimizer.gradientPoint(position) else { return nil }
    precondition(
      point.map(\.shape) == definitions.map(\.shape),
      "\(optimizer.name) takes the gradient at a point that is not of the parameters' shapes")
    return point
  }

  private func updated(
    _ position: OptimizerPosition, loss: Traced, _ gradients: [Traced], _ arguments: [Traced]
  ) -> [Traced] {
    let probe = probe(arguments)
    let decays = rules.decays(optimizer, definitions)
    let update = optimizer.update(
      OptimizerStep(
        position: position, gradients: rules.clipped(gradients), loss: loss, decays: decays,
        probe: probe?.values, isProbed: probe?.isProbed))
    precondition(
      update.parameters.count == parameterTypes.count && update.state.count == stateTypes.count,
      "\(optimizer.name) returned \(update.parameters.count) parameters and \(update.state.count) "
        + "state tensors for \(parameterTypes.count) and \(stateTypes.count)")
    guard !optimizer.appliesDecay else { return update.parameters + update.state }
    let decayed = update.parameters.indices.map { index in
      decays[index] == 0
        ? update.parameters[index]
        : update.parameters[index]
          - position.rates[index] * (position.parameters[index] * decays[index])
    }
    return decayed + update.state
  }

  /// From parameters, state, control and data to loss, gradient norm, the gradient's point where
  /// that is another one, and all anew.
  ///
  /// - Parameter gradient: from parameters and data to the loss and its gradient.
  func whole(_ gradient: Program) throws -> Program {
    try Program.trace(
      parameterTypes + stateTypes + controlTypes
        + gradient.inputTypes.dropFirst(parameterTypes.count)
    ) { arguments in
      let (position, data) = position(arguments)
      let point = point(position)
      let values = arguments[0].builder.inline(gradient, (point ?? position.parameters) + data)
      let gradients = Array(values.dropFirst())
      return [values[0], rules.norm(gradients)] + (point ?? [])
        + updated(position, loss: values[0], gradients, arguments)
    }.simplified()
  }

  /// From parameters, state and control to the gradient's point; nil where that is the parameters.
  func point() throws -> Program? {
    var isElsewhere = false
    let program = try Program.trace(parameterTypes + stateTypes + controlTypes) { arguments in
      guard let point = point(position(arguments).0) else {
        return Array(arguments.prefix(1))
      }
      isElsewhere = true
      return point
    }
    return isElsewhere ? program.simplified() : nil
  }

  /// From parameters, state, control, the loss and gradients to the gradient norm and all anew.
  func update() throws -> Program {
    try Program.trace(parameterTypes + stateTypes + controlTypes + [scalar] + parameterTypes) {
      arguments in
      let (position, rest) = position(arguments)
      let gradients = Array(rest.dropFirst())
      return [rules.norm(gradients)] + updated(position, loss: rest[0], gradients, arguments)
    }.simplified()
  }
}
