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

  /// A rate is proportional to what is found, so it is looked for closer than a tracker does.
  private let search: WarmSharpness = {
    var search = WarmSharpness()
    search.tolerance = 0.03
    search.productLimit = 12
    return search
  }()

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
    guard let run = run.optimizerRun else {
      throw ScheduleError.noUpdate(method: run.trainingState.optimizer)
    }
    let loss = sample ?? run.loss
    switch measurement {
    case .sharpness: return .sharpness(try finite { try sharpness(run, loss) } ?? .nan)
    case .directionalCurvature:
      let found = try finite { try directionalCurvature(loss, run.parameters, direction(run)) }
      return .directionalCurvature(slope: found?.slope ?? .nan, curvature: found?.curvature ?? .nan)
    case .criticalRate:
      return .criticalRate(try finite { try criticalRate(run, loss) } ?? .nan)
    }
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
    let point = run.parameters
    let hessian = try loss.hessian(at: point)
    guard rule.isPreconditioned else {
      return try largest(hessian, run.rules.flatRateFactors(loss.parameters)) * 2
        / rule.criticalProduct
    }
    // The preconditioner of the step to come: before the first there is no other.
    let after = try run.dryStep(rate: 1)
    guard let inverse = run.inversePreconditioner(of: after.state, step: run.updateCount + 1) else {
      throw ScheduleError.noLimit(optimizer: run.optimizer.name)
    }
    let limit = try largest(hessian, inverse) * 2 / rule.criticalProduct
    // While what divides the steps is moving, that limit says nothing of how long they are.
    let (slope, curvature) = try directionalCurvature(
      loss, point, Self.move(from: point, to: after.parameters, rate: 1), hessian)
    return slope < 0 && curvature > 0 ? max(limit, curvature / -slope) : limit
  }

  private func largest(_ hessian: CurvatureMap<Scalar>, _ inverse: [Double]?) throws -> Double {
    let last: [Scalar]? = memory.vectors["sharpest"].map { scalars($0) }
    let count = memory.numbers["looks", default: 0]
    let seed = seed &+ UInt64(count) &* 0x9E37_79B9_7F4A_7C15
    let found =
      if let inverse {
        try search(
          of: PreconditionedMap(hessian, by: DiagonalPreconditioner<Scalar>(inverse: inverse)),
          start: last, seed: seed)
      } else {
        try search(of: hessian, start: last, seed: seed)
      }
    memory.vectors["sharpest"] = doubles(found.next)
    memory.numbers["looks"] = count + 1
    memory.numbers["residual"] = found.relativeResidual
    return found.value
  }

  // MARK: Along the update

  /// The move of the next step per unit of rate.
  private func direction(_ run: TrainingRun<Scalar>) throws -> [Scalar] {
    let rate = run.isGradientElsewhere && run.rate > 0 ? run.rate : 1
    return Self.move(
      from: run.parameters, to: try run.dryStep(rate: rate).parameters, rate: rate)
  }

  private static func move(from point: [Scalar], to after: [Scalar], rate: Double) -> [Scalar] {
    var move = after
    Scalar.axpy(move.count, -1, point, &move)
    if rate != 1 { Scalar.scal(move.count, Scalar(1 / rate), &move) }
    return move
  }

  private func directionalCurvature(
    _ loss: any Loss<Scalar>, _ point: [Scalar], _ direction: [Scalar],
    _ hessian: CurvatureMap<Scalar>? = nil
  ) throws -> (slope: Double, curvature: Double) {
    let gradient = try loss.valueAndGradient(at: point).gradient
    let product = try (hessian ?? loss.hessian(at: point))(direction)
    return (
      Scalar.dot(direction.count, gradient, direction),
      Scalar.dot(direction.count, direction, product)
    )
  }

  private func criticalRate(_ run: TrainingRun<Scalar>, _ loss: any Loss<Scalar>) throws -> Double {
    let direction = try direction(run)
    let point = run.parameters
    let search = try CriticalRate(
      from: memory.numbers["critical"] ?? (run.rate > 0 ? run.rate : 1),
      precision: Double(Scalar.ulpOfOne)
    ) { rate in
      var moved = point
      Scalar.axpy(moved.count, Scalar(rate), direction, &moved)
      return try loss.value(at: moved)
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
  case noUpdate(method: String)

  public var description: String { reason.prefix(1).uppercased() + reason.dropFirst() + "." }

  /// The sentence without its end, as it stands after other words.
  package var reason: String {
    switch self {
    case .noLimit(let optimizer):
      "no stability limit of \(optimizer) is known that sharpness-following could stay below; choose "
        + "curvature-dynamics-aware, which measures along the update, or a schedule that only counts"
    case .noUpdate(let method):
      "the method \(method) finds the length of its steps by itself, and has no update that a schedule could "
        + "measure along; choose a schedule that only counts"
    }
  }
}
