import Curvature
import LinearMaps
import TensorPrograms

/// Many runs of one loss from chosen starts, at chosen rates: all rates and seeds of a sweep as one batched
/// program.
///
/// Lanes of the same batches share each step: its program is the single run's under `vmap`, cut into chunks
/// of lanes whose values fit the cache. A lane whose loss overflows harms no other: no sum goes over lanes.
/// What lanes cannot share is run lane by lane, with the same result.
public final class SweepRun<Scalar: LinearMapScalar> {
  public let loss: any Loss<Scalar>
  public let optimizer: any Optimizer
  public let lanes: [SweepLane<Scalar>]
  public let rules: StepRules
  /// Which lanes are run together.
  public let chunks: [[Int]]
  private let program: LaneProgram?

  /// - Parameter lanesPerChunk: nil for as many as `LaneRule` finds.
  /// - Precondition: each lane starts with as many numbers as the loss has parameters.
  /// - Throws: `TrainingError` where the loss has not what the batches ask for; what tracing throws.
  public init(
    _ loss: any Loss<Scalar>, _ optimizer: any Optimizer, lanes: [SweepLane<Scalar>],
    rules: StepRules = StepRules(), lanesPerChunk: Int? = nil
  ) throws {
    precondition(
      lanes.allSatisfy { $0.start.count == loss.parameterCount },
      "a lane's start does not fit the loss")
    self.loss = loss
    self.optimizer = optimizer
    self.lanes = lanes
    self.rules = rules
    let program = LaneProgram(optimizer, rules, loss)
    var chunks: [[Int]] = []
    var shared = false
    for group in Self.groups(lanes) {
      let limit = try program.lanesPerChunk(loss, batches: lanes[group[0]].batches)
      let size = min(lanesPerChunk ?? limit, limit == 1 ? 1 : .max)
      if size > 1 { shared = true }
      // Chunks of one size, so that they share a compiled program; of neighbouring rates, since lanes
      // that overflow are then together, and a chunk of them ends early.
      let count = (group.count + size - 1) / size
      let equal = (group.count + count - 1) / count
      chunks += stride(from: 0, to: group.count, by: equal).map {
        Array(group[$0..<min(group.count, $0 + equal)])
      }
    }
    self.chunks = chunks
    self.program = shared ? program : nil
  }

  /// Lanes of the same batches, each group by rate.
  private static func groups(_ lanes: [SweepLane<Scalar>]) -> [[Int]] {
    var groups: [[Int]] = []
    for lane in lanes.indices {
      if let known = groups.firstIndex(where: { lanes[$0[0]].batches == lanes[lane].batches }) {
        groups[known].append(lane)
      } else {
        groups.append([lane])
      }
    }
    return groups.map { $0.sorted { (lanes[$0].rate, $0) < (lanes[$1].rate, $1) } }
  }

  /// Takes all steps of all lanes.
  ///
  /// - Parameters:
  ///   - schedule: each lane has one of its own, which is told that lane's losses.
  ///   - progress: told after each step of a chunk what share of all steps is taken.
  /// - Returns: one course per lane.
  /// - Throws: `TrainingError.noSweep` for a schedule that measures; what the executor throws, among it
  ///   `CancellationError`.
  public func train(
    steps: Int, schedule: any Schedule = Constant(), progress: (Double) throws -> Void = { _ in }
  ) throws -> [LaneCourse<Scalar>] {
    var courses = [LaneCourse<Scalar>?](repeating: nil, count: lanes.count)
    let cut = try train(steps: steps, schedule: schedule, progress: progress) {
      courses[$0] = $1
    }
    if let cut { throw cut.error }
    return courses.map { $0! }
  }

  /// Likewise, with what was done until a cancellation.
  ///
  /// - Parameter finished: told each lane with its course when its chunk has taken all steps.
  /// - Returns: nil where all lanes have taken all steps.
  package func train(
    steps: Int, schedule: any Schedule, progress: (Double) throws -> Void,
    finished: (Int, LaneCourse<Scalar>) throws -> Void
  ) throws -> CutSweep<Scalar>? {
    guard schedule.measurement == nil else {
      throw TrainingError.noSweep("the schedule \(schedule.name) measures each run on its way")
    }
    var done = 0
    for members in chunks {
      let share = Double(members.count) / Double(lanes.count)
      let before = Double(done) / Double(lanes.count)
      let (courses, cut) = try train(chunk(members), members, steps, schedule) {
        try progress(before + share * $0)
      }
      if let cut {
        return CutSweep(
          courses: zip(members, courses).map { (lane: $0, course: $1) }, steps: cut.steps,
          error: cut.error)
      }
      do { for (lane, course) in zip(members, courses) { try finished(lane, course) } } catch let
        error as CancellationError
      {
        return CutSweep(courses: [], steps: 0, error: error)
      }
      done += members.count
    }
    return nil
  }

  private func chunk(_ members: [Int]) throws -> any LaneChunk<Scalar> {
    let chosen = members.map { lanes[$0] }
    if chosen.count > 1, let program, let objective = loss.objective {
      return try SharedLanes(objective, program, chosen)
    }
    return try SingleLane(loss, optimizer, chosen[0], rules)
  }

  private func train(
    _ chunk: any LaneChunk<Scalar>, _ members: [Int], _ steps: Int, _ schedule: any Schedule,
    _ progress: (Double) throws -> Void
  ) throws -> (courses: [LaneCourse<Scalar>], cut: (steps: Int, error: CancellationError)?) {
    var courses = members.map {
      LaneCourse<Scalar>(rate: lanes[$0].rate, parameters: lanes[$0].start, losses: [])
    }
    var schedules = members.map { _ in schedule }
    let samples = loss.objective?.sampleCount ?? 1
    let stepsPerPass = lanes[members[0]].batches.map { $0.stepsPerPass(samples) } ?? 1
    var rates = [Double](repeating: 0, count: members.count)
    var running = members.count
    var cut: (steps: Int, error: CancellationError)?
    for step in 0..<steps where running > 0 {
      for lane in members.indices where courses[lane].brokenAt == nil {
        rates[lane] = schedules[lane].rate(
          ScheduleMoment(
            step: step, stepCount: steps, stepsPerPass: stepsPerPass, rate: courses[lane].rate))
      }
      let reports: [(loss: Double, gradientNorm: Double)]
      do { reports = try chunk.step(rates) } catch let error as CancellationError {
        cut = (step, error)
        break
      }
      for lane in members.indices where courses[lane].brokenAt == nil {
        let report = reports[lane]
        guard report.loss.isFinite, report.gradientNorm.isFinite else {
          courses[lane].brokenAt = step
          courses[lane].parameters = chunk.parameters(of: lane, beforeLastStep: true)
          running -= 1
          continue
        }
        courses[lane].losses.append(report.loss)
        if (step + 1) % stepsPerPass == 0 {
          let pass = courses[lane].losses.suffix(stepsPerPass)
          schedules[lane].observe(loss: pass.reduce(0, +) / Double(pass.count))
        }
      }
      do { try progress(Double(step + 1) / Double(steps)) } catch let error as CancellationError {
        cut = (step + 1, error)
        break
      }
    }
    for lane in members.indices where courses[lane].brokenAt == nil {
      courses[lane].parameters = chunk.parameters(of: lane, beforeLastStep: false)
    }
    return (courses, cut)
  }
}

/// What a sweep had done when it was cancelled, beside the lanes that had finished.
package struct CutSweep<Scalar: LinearMapScalar> {
  /// The lanes of the chunk that was at work, with their courses so far.
  package let courses: [(lane: Int, course: LaneCourse<Scalar>)]
  /// Steps that each of them has taken.
  package let steps: Int
  package let error: CancellationError
}
