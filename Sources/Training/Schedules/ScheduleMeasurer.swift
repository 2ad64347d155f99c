import Curvature
import LinearMaps

/// Measures what schedules ask for: the `measure` of a `Trainer`.
///
/// It looks at a fixed sample, or where there is none at the loss of the run. Its `memory` holds the vectors and
/// numbers that the next measurement starts from, so that a resumed run goes on bit for bit.
///
/// - Directions are those of the step to come: a dry step at rate 1 gives the parameters after it less those
///   before; where an optimizer takes the gradient at a point that depends on the rate, a dry step at the
///   rate of the last step, divided by it.
/// - Where the loss or a product is not finite, what is measured is NaN, and the schedule keeps its rate: the
///   step itself will say so.
public final class ScheduleMeasurer<Scalar: LinearMapScalar> {
  /// What is looked at; nil for the loss of the run.
  public let sample: (any Loss<Scalar>)?
  public let seed: UInt64
  /// What it keeps from one measurement to the next.
  public var memory = TrackerMemory()
  /// What all measurements of this measurer cost, in gradients of what is looked at.
  public private(set) var gradients = 0.0
  public private(set) var measurements = 0

  public init(sample: (any Loss<Scalar>)? = nil, seed: UInt64 = 0) {
    self.sample = sample
    self.seed = seed
  }

  /// Measures at the point where a run stands; the run's next step is as if nothing had been measured.
  ///
  /// - Throws: `ScheduleError` where the run has no such thing; `CurvatureError` where the loss has not;
  ///   what the executor throws.
  public func measure(
    _ measurement: ScheduleMeasurement, _ run: any TrainingSteps<Scalar>
  ) throws -> ScheduleReading {
    guard let run = run as? TrainingRun<Scalar> else { throw ScheduleError.noUpdate }
    let loss = sample ?? run.loss
    let spent = loss.operations + (loss === run.loss ? 0 : run.loss.operations)
    defer { measurements += 1 }
    let reading: ScheduleReading
    switch measurement {
    case .sharpness: reading = .sharpness(try finite { try sharpness(run, loss) } ?? .nan)
    case .directionalCurvature:
      let found = try finite { try directionalCurvature(run, loss) }
      reading = .directionalCurvature(
        slope: found?.slope ?? .nan, curvature: found?.curvature ?? .nan)
    case .criticalRate:
      reading = .criticalRate(try finite { try criticalRate(run, loss) } ?? .nan)
    }
    let all = loss.operations + (loss === run.loss ? 0 : run.loss.operations)
    gradients += (all - spent) / max(1, try loss.gradientOperations())
    return reading
  }

  /// Nil where a number on the way was not finite.
  private func finite<Value>(_ body: () throws -> Value) throws -> Value? {
    do { return try body() } catch  where error.isNonFinite { return nil }
  }

  // MARK: The stability limit

  /// 2 over the largest stable rate.
  private func sharpness(_ run: TrainingRun<Scalar>, _ loss: any Loss<Scalar>) throws -> Double {
    guard let rule = run.optimizer.stability else {
      throw ScheduleError.noLimit(optimizer: run.optimizer.name)
    }
    let hessian = try loss.hessian(at: run.parameters)
    let last = memory.vectors["sharpest"].map { $0.map { Scalar($0) } }
    let count = memory.numbers["looks", default: 0]
    let seed = seed &+ UInt64(count) &* 0x9E37_79B9_7F4A_7C15
    let found =
      if let inverse = try inversePreconditioner(run, rule) {
        try ScheduleSharpness(
          of: PreconditionedMap(hessian, by: DiagonalPreconditioner<Scalar>(inverse: inverse)),
          from: last, seed: seed)
      } else {
        try ScheduleSharpness(of: hessian, from: last, seed: seed)
      }
    memory.vectors["sharpest"] = found.vector.map { Double($0) }
    memory.numbers["looks"] = count + 1
    memory.numbers["residual"] = found.relativeResidual
    return found.value * 2 / rule.criticalProduct
  }

  /// What a step's gradient is multiplied by, entry by entry, beside the rate; nil for nothing.
  private func inversePreconditioner(
    _ run: TrainingRun<Scalar>, _ rule: StepRule
  ) throws -> [Double]? {
    let factors = run.rules.flatRateFactors(run.loss.parameters)
    guard rule.isPreconditioned else { return factors }
    // That of the step to come: before the first there is no other.
    let state = try run.dryStep(rate: 1).state
    let diagonal = run.optimizer.preconditioner(
      state: { run.tensors($0, of: state).map { Double($0) } }, step: run.stepCount + 1)
    guard let diagonal else { throw ScheduleError.noLimit(optimizer: run.optimizer.name) }
    return factors.map { zip($0, diagonal).map { $0 / $1 } } ?? diagonal.map { 1 / $0 }
  }

  // MARK: Along the update

  /// The move of the next step per unit of rate.
  private func direction(_ run: TrainingRun<Scalar>) throws -> [Scalar] {
    let rate = run.isGradientElsewhere ? run.rate : 1
    let after = try run.dryStep(rate: rate).parameters
    return zip(after, run.parameters).map { ($0 - $1) / Scalar(rate) }
  }

  private func directionalCurvature(
    _ run: TrainingRun<Scalar>, _ loss: any Loss<Scalar>
  ) throws -> (slope: Double, curvature: Double) {
    let direction = try direction(run)
    let point = run.parameters
    let gradient = try loss.valueAndGradient(at: point).gradient
    let product = try loss.hessian(at: point)(direction)
    return (
      Scalar.dot(direction.count, gradient, direction),
      Scalar.dot(direction.count, direction, product)
    )
  }

  private func criticalRate(_ run: TrainingRun<Scalar>, _ loss: any Loss<Scalar>) throws -> Double {
    let direction = try direction(run)
    let point = run.parameters
    let search = try CriticalRate(
      from: memory.numbers["critical"] ?? run.rate, precision: Double(Scalar.ulpOfOne)
    ) { rate in
      try loss.value(at: zip(point, direction).map { $0 + Scalar(rate) * $1 })
    }
    if search.rate > 0 { memory.numbers["critical"] = search.rate }
    return search.rate
  }
}

/// Why something cannot be measured for a schedule: one sentence and the next step.
public enum ScheduleError: Error, Equatable, Sendable, CustomStringConvertible {
  /// Nothing is known of the rates at which the optimizer is stable.
  case noLimit(optimizer: String)
  /// A method with inner iterations has no update along which something could be measured.
  case noUpdate

  public var description: String {
    switch self {
    case .noLimit(let optimizer):
      "No stability limit of \(optimizer) is known that sharpness-following could stay below; choose "
        + "curvature-dynamics-aware, which measures along the update, or a schedule that only counts."
    case .noUpdate:
      "A method with inner iterations finds the length of its steps by itself, and has no update that a "
        + "schedule could measure along; choose a schedule that only counts."
    }
  }
}
