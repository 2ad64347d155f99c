import Curvature
import LinearMaps

/// What a run keeps, and how it is taken up again.
extension HybridRun {
  /// Everything that the run needs to go on, bit for bit; `HybridRun(resuming:)` takes it.
  public var trainingState: TrainingState<Scalar> {
    var state = firstRun.trainingState
    var header: [Double] = [
      Double(phase.rawValue), Double(counts.first), Double(counts.then), Double(resets),
      best?.loss ?? .nan, best == nil ? 0 : 1, Double(best?.step ?? 0),
    ]
    header += watch.numbers + [phase == .first ? Double(firstRun.updateCount) : 0]
    switch phase {
    case .first: break
    case .then:
      let inner = method!.trainingState
      state.parameters = inner.parameters
      state.state = inner.state
      header += [Double(inner.stepCount)] + inner.numbers
    case .double:
      let inner = double!.trainingState
      state.parameters = inner.parameters.map { Scalar($0) }
      state.state = []
      header += [Double(inner.stepCount), Double(inner.state.count)] + inner.parameters
      header += inner.state + inner.numbers
    }
    state.optimizer = plan.name
    state.hyperparameters = plan.hyperparameters
    state.rate = rate
    state.stepCount = stepCount
    state.state = (best?.point ?? []) + state.state
    state.numbers = header
    return state
  }

  static var headerCount: Int { 13 }

  /// The run that a state was taken of, to go on as if it had not been stopped.
  ///
  /// - Parameter double: as for a new run.
  /// - Throws: `TrainingError.wrongState` where the state is of another plan or loss; what tracing and
  ///   compiling throw.
  public convenience init(
    resuming state: TrainingState<Scalar>, _ plan: HybridPlan, of loss: any Loss<Scalar>,
    rules: StepRules = StepRules(), double: (() throws -> any Loss<Double>)? = nil
  ) throws {
    guard state.optimizer == plan.name, state.hyperparameters == plan.hyperparameters else {
      throw TrainingError.wrongState(
        "it is of \(state.optimizer), or of other numbers, and the plan is \(plan.name)")
    }
    let n = loss.parameterCount
    guard state.parameters.count == n else {
      throw TrainingError.wrongState(
        "it has \(state.parameters.count) parameters and the loss \(n)")
    }
    let damaged = TrainingError.wrongState("its numbers are not those of \(plan.name)")
    let numbers = state.numbers
    let whole = [0, 1, 2, 3, 5, 6].compactMap {
      numbers.indices.contains($0) ? Int(exactly: numbers[$0]) : nil
    }
    guard numbers.count >= Self.headerCount, whole.count == 6, whole.allSatisfy({ $0 >= 0 }),
      let phase = Phase(rawValue: whole[0]), whole[1] + whole[2] == state.stepCount,
      whole[4] == 0 || state.state.count >= n,
      let watch = SwitchWatch(plan.criterion, numbers: Array(numbers[7..<12]))
    else { throw damaged }
    let tail = Array(numbers.dropFirst(Self.headerCount))
    let vectors = Array(state.state.dropFirst(whole[4] == 0 ? 0 : n))
    var first = state
    first.optimizer = plan.first.name
    first.hyperparameters = plan.first.hyperparameters
    first.stepCount = whole[1]
    first.numbers = [numbers[12]]
    first.state = vectors
    // The optimizer's tensors are gone with its phase: its run is made anew and never moved.
    let run =
      try phase == .first
      ? TrainingRun(resuming: first, of: loss, optimizer: plan.first, rules: rules)
      : TrainingRun(
        loss, plan.first, rate: state.rate, from: state.parameters,
        gradients: GradientSource(state.samples) ?? .allSamples, rules: rules)
    try self.init(plan, loss, run, double)
    self.watch = watch
    self.phase = phase
    counts = (whole[1], whole[2])
    resets = whole[3]
    if whole[4] == 1 { best = (numbers[4], Array(state.state.prefix(n)), whole[5]) }
    func inner<T>(
      _ steps: Double, _ parameters: [T], _ vectors: [T], _ numbers: [Double]
    ) throws -> TrainingState<T> {
      guard let steps = Int(exactly: steps) else { throw damaged }
      return TrainingState(
        optimizer: plan.then.name, hyperparameters: plan.then.hyperparameters,
        rate: restartRate, stepCount: steps, samples: .all, parameters: parameters,
        state: vectors, numbers: numbers)
    }
    switch phase {
    case .first: break
    case .then:
      guard let steps = tail.first else { throw damaged }
      method = try plan.then.resume(
        inner(steps, state.parameters, vectors, Array(tail.dropFirst())), of: loss)
    case .double:
      guard tail.count >= 2 + n, let count = Int(exactly: tail[1]), count >= 0,
        tail.count >= 2 + n + count, let makeDouble
      else { throw damaged }
      let values = Array(tail.dropFirst(2))
      self.double = try plan.then.resume(
        inner(
          tail[0], Array(values.prefix(n)), Array(values.dropFirst(n).prefix(count)),
          Array(values.dropFirst(n + count))), of: try makeDouble())
    }
  }
}
