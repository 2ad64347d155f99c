import Curvature
import LinearMaps
import TensorPrograms

/// A state moved step by step over a loss by an optimizer.
///
/// Where the gradient is a program of one run, loss, gradient and update are one program, run in place
/// between two copies of the state.
public final class TrainingRun<Scalar: LinearMapScalar>: TrainingSteps {
  public let loss: any Loss<Scalar>
  public let optimizer: any Optimizer
  public let source: GradientSource<Scalar>
  public let rules: StepRules
  /// The learning rate of the next step; may change from step to step.
  public var rate: Double
  public private(set) var stepCount: Int
  /// Updates that parameters and state hold, which the optimizer's corrections go by: the steps taken, less those
  /// that were gone back from.
  public private(set) var updateCount: Int
  public var optimizerRun: TrainingRun<Scalar>? { self }

  private let memory: TrainingMemory<Scalar>
  /// The copy that holds the present.
  private var current = 0
  private let stateTensors: [StateTensor]
  private let steps: PreparedSteps<Scalar>

  /// Floating-point operations of one step, counted from shapes; without those of a gradient that is no
  /// part of the step's own program, as over micro-batches: they are counted by the loss.
  public var operationsPerStep: Double { steps.operations }
  /// Equations that one step dispatches.
  public var equationsPerStep: Int { steps.equations }

  /// A run from a starting point, its state as the optimizer starts it.
  ///
  /// - Precondition: as many numbers as the loss has parameters.
  /// - Throws: `TrainingError` where the loss has not what the source asks for; what tracing and compiling
  ///   throw.
  public convenience init(
    _ loss: any Loss<Scalar>, _ optimizer: any Optimizer, rate: Double, from start: [Scalar],
    gradients source: GradientSource<Scalar> = .allSamples, rules: StepRules = StepRules()
  ) throws {
    precondition(start.count == loss.parameterCount, "the start does not fit the loss")
    try self.init(loss, optimizer, source, rules, rate: rate, stepCount: 0) { tensors, offsets in
      tensors.flatMap { tensor -> [Scalar] in
        switch tensor.start {
        case .constant(let value): [Scalar](repeating: Scalar(value), count: tensor.shape.count)
        case .values(let values): scalars(values)
        case .parameter(let index):
          Array(start[offsets[index]..<offsets[index] + tensor.shape.count])
        }
      }
    }
    write(start, at: 0)
  }

  /// The run that a state was taken of, to go on as if it had not been stopped.
  ///
  /// - Parameters:
  ///   - optimizer: one that is not in the catalogue has to be given again; by default, what the state
  ///     names.
  ///   - source: a closure has to be given again; by default, what the state names.
  /// - Throws: `TrainingError` where the state does not fit the loss, by the sizes of both, or the optimizer; what the optimizer's name and
  ///   hyperparameters throw.
  public convenience init(
    resuming state: TrainingState<Scalar>, of loss: any Loss<Scalar>,
    optimizer: (any Optimizer)? = nil, gradients source: GradientSource<Scalar>? = nil,
    rules: StepRules = StepRules()
  ) throws {
    guard state.parameters.count == loss.parameterCount else {
      throw TrainingError.wrongState(
        "it has \(state.parameters.count) parameters and the loss \(loss.parameterCount)")
    }
    guard state.stepCount >= 0 else {
      throw TrainingError.wrongState("it has taken \(state.stepCount) steps")
    }
    let optimizer = try optimizer ?? OptimizerSetting(state.optimizer, state.hyperparameters).make()
    guard optimizer.hyperparameters == state.hyperparameters else {
      throw TrainingError.wrongState(
        "its \(state.optimizer) was made with \(state.hyperparameters), and this one with "
          + "\(optimizer.hyperparameters)")
    }
    guard let source = source ?? GradientSource(state.samples) else {
      throw TrainingError.wrongState(
        "its gradients came from a closure, which has to be given again")
    }
    try self.init(loss, optimizer, source, rules, rate: state.rate, stepCount: state.stepCount) {
      tensors, _ in
      let count = tensors.reduce(0) { $0 + $1.shape.count }
      guard optimizer.name == state.optimizer, state.state.count == count else {
        throw TrainingError.wrongState(
          "it is of \(state.optimizer) with \(state.state.count) numbers of state, and the optimizer "
            + "\(optimizer.name) keeps \(count)")
      }
      return state.state
    }
    if let updates = state.numbers.first {
      guard let count = Int(exactly: updates), (0...stepCount).contains(count) else {
        throw TrainingError.wrongState("it holds \(updates) updates of \(stepCount) steps")
      }
      updateCount = count
    }
    write(state.parameters, at: 0)
  }

  private init(
    _ loss: any Loss<Scalar>, _ optimizer: any Optimizer, _ source: GradientSource<Scalar>,
    _ rules: StepRules, rate: Double, stepCount: Int,
    state: (_ tensors: [StateTensor], _ offsets: [Int]) throws -> [Scalar]
  ) throws {
    self.loss = loss
    self.optimizer = optimizer
    self.source = source
    self.rules = rules
    self.rate = rate
    self.stepCount = stepCount
    updateCount = stepCount
    let definitions = loss.parameters
    rules.check(definitions)
    stateTensors = optimizer.initialState(definitions)
    for tensor in stateTensors {
      guard case .parameter(let index) = tensor.start else { continue }
      precondition(
        definitions.indices.contains(index)
          && definitions[index].shape.count == tensor.shape.count,
        "the state \(tensor.name) of \(optimizer.name) does not fit the parameter it starts as")
    }
    let types = definitions.map { TensorType(Scalar.element, $0.shape) }
    memory = TrainingMemory(
      types, stateTensors.map { TensorType(Scalar.element, $0.shape) },
      hasProbe: optimizer.curvatureProbe != nil)
    steps = try PreparedSteps(
      loss,
      TracedStep(
        optimizer: optimizer, rules: rules, definitions: definitions, parameterTypes: types,
        stateTypes: memory.stateTypes), source, memory)
    var offsets: [Int] = []
    _ = types.reduce(0) {
      offsets.append($0)
      return $0 + $1.shape.count
    }
    write(try state(stateTensors, offsets), at: memory.parameterCount)
  }

  /// Sets parameters or state.
  private func write(_ values: [Scalar], at offset: Int) {
    values.withUnsafeBufferPointer {
      guard let base = $0.baseAddress else { return }
      for copy in memory.copies { (copy + offset).update(from: base, count: values.count) }
      if offset == 0 { memory.gradientPoint.update(from: base, count: values.count) }
    }
  }

  private func numbers(_ base: UnsafeMutablePointer<Scalar>, _ count: Int) -> [Scalar] {
    Array(UnsafeBufferPointer(start: base, count: count))
  }

  public var parameters: [Scalar] { numbers(memory.copies[current], memory.parameterCount) }

  /// The parameters before the last step; those at the start before the first one.
  var parametersBefore: [Scalar] { numbers(memory.copies[1 - current], memory.parameterCount) }

  /// The point whose loss and gradient the last step returned: the parameters before it, or where the
  /// optimizer took the gradient. The parameters before the first step.
  public var evaluatedParameters: [Scalar] {
    numbers(
      steps.isGradientElsewhere ? memory.gradientPoint : memory.copies[1 - current],
      memory.parameterCount)
  }

  /// The optimizer's tensors of one name, flat, in the order of the parameters; empty for an unknown name.
  public func state(_ name: String) -> [Scalar] {
    var offset = memory.parameterCount
    return stateTensors.flatMap { tensor -> [Scalar] in
      defer { offset += tensor.shape.count }
      return tensor.name == name
        ? numbers(memory.copies[current] + offset, tensor.shape.count) : []
    }
  }

  /// Everything that the run needs to go on, bit for bit.
  public var trainingState: TrainingState<Scalar> {
    var state = TrainingState(
      optimizer: optimizer.name, hyperparameters: optimizer.hyperparameters, rate: rate,
      stepCount: stepCount, samples: source.samples, parameters: parameters,
      state: numbers(
        memory.copies[current] + memory.parameterCount, memory.count - memory.parameterCount))
    if updateCount != stepCount { state.numbers = [Double(updateCount)] }
    return state
  }

  /// Puts parameters, the tensors of the state and the count of updates back to what they were; the count of steps
  /// goes on, and with it the order of the samples.
  ///
  /// - Returns: whether it did; not, where they are of another run.
  func goBack(parameters: [Scalar], state: [Scalar], updates: Int) -> Bool {
    guard parameters.count == memory.parameterCount,
      state.count == memory.count - memory.parameterCount
    else { return false }
    write(parameters, at: 0)
    write(state, at: memory.parameterCount)
    updateCount = updates
    return true
  }

  /// What a step at a rate would make of parameters and state, without taking it: the next step is as if this
  /// had not been asked.
  ///
  /// - Throws: what the executor throws, among it `CancellationError`.
  package func dryStep(rate: Double) throws -> (parameters: [Scalar], state: [Scalar]) {
    let other = memory.copies[1 - current]
    let point = numbers(memory.gradientPoint, memory.parameterCount)
    let kept = numbers(other, memory.count)
    defer {
      kept.withUnsafeBufferPointer { other.update(from: $0.baseAddress!, count: $0.count) }
      point.withUnsafeBufferPointer {
        memory.gradientPoint.update(from: $0.baseAddress!, count: $0.count)
      }
    }
    memory.scalars[0] = Scalar(rate)
    memory.scalars[1] = Scalar(updateCount + 1)
    memory.updates = updateCount
    try steps.run(from: current, step: stepCount)
    loss.count(steps.operations)
    return (
      numbers(other, memory.parameterCount),
      numbers(other + memory.parameterCount, memory.count - memory.parameterCount)
    )
  }

  /// The optimizer's tensors of one name in a state as `dryStep` returns it.
  package func tensors(_ name: String, of state: [Scalar]) -> [Scalar] {
    var offset = 0
    return stateTensors.flatMap { tensor -> [Scalar] in
      defer { offset += tensor.shape.count }
      return tensor.name == name ? Array(state[offset..<offset + tensor.shape.count]) : []
    }
  }

  /// Whether the optimizer takes the gradient at another point than the parameters.
  package var isGradientElsewhere: Bool { steps.isGradientElsewhere }

  /// Takes one step.
  ///
  /// - Returns: the loss and the gradient norm where the gradient was taken, *before* the step; of the
  ///   batch, where the gradients are of batches.
  /// - Throws: what the executor throws, among it `CancellationError`.
  @discardableResult
  public func step() throws -> StepReport {
    memory.scalars[0] = Scalar(rate)
    memory.scalars[1] = Scalar(updateCount + 1)
    memory.updates = updateCount
    try steps.run(from: current, step: stepCount)
    loss.count(steps.operations)
    current = 1 - current
    var report = StepReport(
      loss: Double(memory.scalars[2]), gradientNorm: Double(memory.scalars[3]))
    // A probe is a product, or the gradient at targets that were drawn.
    if let probe = optimizer.curvatureProbe, updateCount % probe.period == 0 {
      if case .hutchinson = probe { report.products += 1 } else { report.gradients += 1 }
    }
    if let period = optimizer.renewalPeriod, updateCount % period == 0 { renew() }
    stepCount += 1
    updateCount += 1
    return report
  }

  /// Lets the optimizer renew its state outside of the program.
  private func renew() {
    let base = memory.copies[current] + memory.parameterCount
    var offset = 0
    var tensors = stateTensors.map { tensor -> [Double] in
      defer { offset += tensor.shape.count }
      return doubles(numbers(base + offset, tensor.shape.count))
    }
    optimizer.renew(&tensors, loss.parameters, step: updateCount + 1)
    var place = base
    for tensor in tensors {
      let rounded: [Scalar] = scalars(tensor)
      rounded.withUnsafeBufferPointer {
        if let base = $0.baseAddress { place.update(from: base, count: $0.count) }
      }
      place += tensor.count
    }
  }
}
