import Curvature
import LinearMaps
import Presentation

/// The run of a `HybridPlan`: the optimizer, until the criterion says so; then the method, from the best point
/// that was seen; in float64 from where float32 ends it.
///
/// What it measures and decides is in the notes of its steps. After a step that is not finite the method begins
/// anew at the best point with an empty history and a shorter first step.
public final class HybridRun<Scalar: LinearMapScalar>: TrainingSteps {
  /// Which of the three goes.
  enum Phase: Int { case first, then, double }

  public let plan: HybridPlan
  public let loss: any Loss<Scalar>
  /// The learning rate of the optimizer; the method finds the length of its steps by itself.
  public var rate: Double
  public var stepCount: Int { counts.first + counts.then }

  public var firstOrderRun: TrainingRun<Scalar>? { phase == .first ? optimizerRun : nil }
  private(set) var phase = Phase.first
  private let optimizerRun: TrainingRun<Scalar>
  private var method: (any TrainingSteps<Scalar>)?
  private var double: (any TrainingSteps<Double>)?
  private let makeDouble: (() throws -> any Loss<Double>)?
  /// Whether the optimizer's gradients are those of all samples.
  private let isExact: Bool
  private let groups: DrawnGroupGradients<Scalar>?
  private var watch: SwitchWatch
  /// The lowest loss over all samples that was seen, and where.
  private var best: (loss: Double, point: [Scalar])?
  /// Steps of the optimizer and of the method.
  private var counts = (first: 0, then: 0)
  private var resets = 0
  private var ending: StepEnding?

  /// A run from a starting point.
  ///
  /// - Parameters:
  ///   - source: of the optimizer's gradients; not a closure.
  ///   - double: the loss in float64, made when it is needed; by default the same program on the same
  ///     samples.
  /// - Throws: `TrainingError` where the loss has not what the source asks for; what tracing and compiling
  ///   throw.
  public convenience init(
    _ plan: HybridPlan, _ loss: any Loss<Scalar>, rate: Double, from start: [Scalar],
    gradients source: GradientSource<Scalar> = .allSamples, rules: StepRules = StepRules(),
    double: (() throws -> any Loss<Double>)? = nil
  ) throws {
    try self.init(
      plan, loss,
      TrainingRun(loss, plan.first, rate: rate, from: start, gradients: source, rules: rules),
      double)
  }

  private init(
    _ plan: HybridPlan, _ loss: any Loss<Scalar>, _ run: TrainingRun<Scalar>,
    _ double: (() throws -> any Loss<Double>)?
  ) throws {
    self.plan = plan
    self.loss = loss
    optimizerRun = run
    rate = run.rate
    counts.first = run.stepCount
    watch = SwitchWatch(plan.criterion)
    if case .batches(let batches) = run.source {
      isExact = false
      groups = try DrawnGroupGradients(
        loss, groups: plan.criterion.groups, batchSize: batches.size, seed: plan.seed)
    } else {
      isExact = true
      groups = nil
    }
    let canDouble = plan.usesDouble && Scalar.precisionName == "float32"
    makeDouble =
      canDouble ? double ?? loss.objective.map { objective in { try objective.inDouble() } } : nil
  }

  public var parameters: [Scalar] {
    switch phase {
    case .first: optimizerRun.parameters
    case .then: method!.parameters
    case .double: double!.parameters.map { Scalar($0) }
    }
  }

  /// The parameters before they are rounded to the run's own precision, once float64 has taken over; nil
  /// before.
  public var doubleParameters: [Double]? { double?.parameters }

  // MARK: Steps

  @discardableResult
  public func step() throws -> StepReport {
    var notes: [StepNote] = []
    var extra = 0
    if phase == .first, watch.isDue(counts.first) {
      try check(&notes)
      extra = 1
    }
    var report = try phase == .first ? firstStep() : methodStep(&notes)
    // A check takes at most one pass over the samples, a loss less than that.
    report.gradients += extra
    report.notes = notes
    return report
  }

  private func firstStep() throws -> StepReport {
    optimizerRun.rate = rate
    let report = try optimizerRun.step()
    counts.first += 1
    return report
  }

  /// Looks at the criterion, and changes the method where it says so.
  private func check(_ notes: inout [StepNote]) throws {
    let point = optimizerRun.parameters
    let noise: NoiseReading
    let value: Double
    if let groups {
      let found = try groups.check(counts.first, at: point)
      noise = .measured(GradientSignal(found.gradients, share: groups.share))
      value = found.loss
    } else {
      noise = isExact ? .none : .unknown
      value = try loss.value(at: point)
    }
    if value < best?.loss ?? .infinity { best = (value, point) }
    let check = watch.check(step: counts.first, noise: noise, loss: value)
    notes.append(check.note)
    guard check.decision != .wait else { return }
    let start = best ?? (value, point)
    let from =
      start.loss < value ? "the best point of the checks" : "there"
    notes.append(
      StepNote(
        .change, step: counts.first,
        "\(capital(plan.then.phrase)) takes over from \(plan.first.phrase) after "
          + "\(Wording.count(counts.first, "step")), on all samples, from \(from), with a loss of "
          + "\(Wording.number(start.loss)).", ["loss": start.loss, "lossThere": value]))
    method = try plan.then.start(loss, from: start.point)
    best = nil
    phase = .then
  }

  private func methodStep(_ notes: inout [StepNote]) throws -> StepReport {
    let before = parameters
    var report: StepReport
    if phase == .double {
      double!.rate = restartRate
      report = try double!.step()
    } else {
      method!.rate = restartRate
      report = try method!.step()
    }
    if report.loss < best?.loss ?? .infinity { best = (report.loss, before) }
    if ending == nil { counts.then += 1 }
    if let reason = report.ending {
      report.ending = try goOn(after: reason, &notes)
      ending = report.ending
    }
    return report
  }

  /// The first trial of a step after so many resets.
  private var restartRate: Double {
    var rate = 1.0
    for _ in 0..<resets { rate /= 10 }
    return rate
  }

  /// What follows where the method ends: nil where it goes on after all.
  private func goOn(after end: StepEnding, _ notes: inout [StepNote]) throws -> StepEnding? {
    switch end.reason {
    case .rounding, .stalled, .nonFinite:
      if phase == .then, makeDouble != nil, try toDouble(after: end, &notes) { return nil }
      guard end.reason == .nonFinite, resets < plan.resets, let best, best.loss.isFinite else {
        guard phase == .then, Scalar.precisionName == "float32", makeDouble == nil else {
          return end
        }
        return StepEnding(
          end.reason,
          end.sentence + " In float32 rounding may be the cause: let it go on in float64.")
      }
      resets += 1
      notes.append(
        StepNote(
          .reset, step: stepCount,
          "\(end.sentence) \(capital(plan.then.phrase)) begins anew from the best point, whose loss is "
            + "\(Wording.number(best.loss)), without its history and with a first step of "
            + "\(Wording.number(restartRate)) times the usual one (\(resets) of \(plan.resets) times).",
          ["loss": best.loss, "resets": Double(resets)]))
      if phase == .double {
        double = try plan.then.start(double!.loss, from: double!.parameters)
      } else {
        method = try plan.then.start(loss, from: best.point)
      }
      return nil
    case .converged, .unbounded: return end
    }
  }

  /// Goes on in float64 from where float32 ended; false where the loss cannot be had in float64.
  private func toDouble(after end: StepEnding, _ notes: inout [StepNote]) throws -> Bool {
    let point = method!.parameters
    let exact = point.map { Double($0) }
    let double: any Loss<Double>
    do { double = try makeDouble!() } catch is CancellationError {
      throw CancellationError()
    } catch {
      notes.append(
        StepNote(
          .precision, step: stepCount,
          "\(end.sentence) It cannot go on in float64, which this loss does not have: \(error)"))
      return false
    }
    let rounding = try RoundingNoise(loss, double, at: point)
    notes.append(
      StepNote(
        .precision, step: stepCount,
        "\(capital(plan.then.phrase)) finds no lower loss in float32 at step \(Wording.count(stepCount)): there "
          + "rounding alone moves the loss of \(Wording.number(rounding.loss)) by about "
          + "\(Wording.number(rounding.lossNoise)), and the gradient by "
          + "\(Wording.number(100 * rounding.gradientShare)) % of its length. It goes on from this point in "
          + "float64, where the largest entry of the gradient is "
          + "\(Wording.number(rounding.largestEntry)).",
        [
          "loss": rounding.loss, "lossNoise": rounding.lossNoise,
          "gradientError": rounding.gradientShare, "largestEntry": rounding.largestEntry,
        ]))
    self.double = try plan.then.start(double, from: exact)
    best = nil
    phase = .double
    return true
  }

  // MARK: State

  /// Everything that the run needs to go on, bit for bit; `HybridRun(resuming:)` takes it.
  public var trainingState: TrainingState<Scalar> {
    var state = optimizerRun.trainingState
    var header: [Double] = [
      Double(phase.rawValue), Double(counts.first), Double(counts.then), Double(resets),
      best?.loss ?? .nan, best == nil ? 0 : 1,
    ]
    header += watch.numbers
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

  static var headerCount: Int { 11 }

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
    let whole = [0, 1, 2, 3, 5].compactMap {
      numbers.indices.contains($0) ? Int(exactly: numbers[$0]) : nil
    }
    guard numbers.count >= Self.headerCount, whole.count == 5, whole.allSatisfy({ $0 >= 0 }),
      let phase = Phase(rawValue: whole[0]), whole[1] + whole[2] == state.stepCount,
      whole[4] == 0 || state.state.count >= n,
      let watch = SwitchWatch(plan.criterion, numbers: Array(numbers[6..<11]))
    else { throw damaged }
    let tail = Array(numbers.dropFirst(Self.headerCount))
    let vectors = Array(state.state.dropFirst(whole[4] == 0 ? 0 : n))
    var first = state
    first.optimizer = plan.first.name
    first.hyperparameters = plan.first.hyperparameters
    first.stepCount = whole[1]
    first.numbers = []
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
    if whole[4] == 1 { best = (numbers[4], Array(state.state.prefix(n))) }
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

/// The text as a sentence begins with it.
private func capital(_ text: String) -> String { text.prefix(1).uppercased() + text.dropFirst() }
