import CEigenstep
import Curvature
import Diagnosis
import Foundation
import LinearMaps
import Presentation
import Problems
import Reports
import TensorFiles
import TensorPrograms
import Training
import TrainingLogs

/// What a C caller's loop is watched by; held by pointer. One call at a time, and callbacks may call again.
final class MonitorSession: @unchecked Sendable {
  /// `{"optimizer": {"name": ...}, "every": n, "guard": "warn", "track": [..], "log": folder, "seed": n,
  /// "precision": "float32", "notes": [..]}`; all may be left out.
  struct Settings: Decodable {
    var optimizer: OptimizerSetting?
    var every: Int?
    var `guard`: GuardAction?
    /// Names of trackers beside the sharpness.
    var track: [String]?
    var log: String?
    var resumesLog: Bool?
    var seed: UInt64?
    var precision: PrecisionChoice?
    var notes: [String]?
  }

  let watch: LoopWatch
  let lock = NSRecursiveLock()
  private let optimizer: (any Optimizer)?
  private let precision: PrecisionChoice
  private let notes: [String]
  private let log: TrainingLog?
  private var batch = 0

  /// - Throws: `DiagnosisFailure` of kind `usage`; `LogError`; `CatalogueError`.
  init(_ request: String) throws {
    let settings: Settings
    do { settings = try JSONDecoder().decode(Settings.self, from: Data(request.utf8)) } catch let
      error as DecodingError
    {
      throw DiagnosisFailure(.usage, "The settings of the monitor cannot be read: \(error)")
    }
    let every = settings.every ?? 100
    guard every >= 1 else {
      throw DiagnosisFailure(.usage, "Checks every \(every) steps: give 1 or more.")
    }
    let optimizer = settings.optimizer?.make()
    var names = [
      optimizer?.stability?.isPreconditioned == true
        ? PreconditionedSharpness.entry.name : Sharpness.entry.name
    ]
    for name in settings.track ?? [] where !names.contains(name) { names.append(name) }
    let trackers = try names.map { name -> any Tracker in
      guard name != DeadUnits.entry.name else {
        throw DiagnosisFailure(
          .usage,
          "The tracker \(name) reads a traced program, which a loop of yours is not; leave it out.")
      }
      if name == names[0] { return StepSharpness(name, period: every) }
      return try TrackerSetting(name, ["period": Double(every)]).make()
    }
    let log = try settings.log.map { try TrainingLog($0, resumes: settings.resumesLog ?? false) }
    self.optimizer = optimizer
    self.log = log
    precision = settings.precision ?? .float32
    notes = settings.notes ?? []
    watch = LoopWatch(
      trackers: trackers, action: settings.guard ?? .warn, period: every,
      seed: settings.seed ?? 0, event: { try log?.note($0) })
  }

  func check(
    _ losses: [CallbackLoss], rate: Double, arrays: CallerArrays, context: RunContext
  ) throws -> [TrackedValue] {
    guard let first = losses.first else {
      throw DiagnosisFailure(.usage, "There is no loss to look at; give one.")
    }
    batch = first.sampleCount
    return switch precision {
    case .float32: try check(losses, Float.self, rate, arrays, context)
    case .float64: try check(losses, Double.self, rate, arrays, context)
    }
  }

  private func check<Scalar: LinearMapScalar>(
    _ losses: [CallbackLoss], _: Scalar.Type, _ rate: Double, _ arrays: CallerArrays,
    _ context: RunContext
  ) throws -> [TrackedValue] {
    let state = arrays.files["optimizer"]?.tensors.mapValues(\.doubles) ?? [:]
    let all = losses.map { ClosureLoss<Scalar>($0.penalised, context: context) }
    let carried = try carried(losses[0], state)
    return try watch.check(
      TrackingMoment(
        atNumbers: losses[0].start, sample: all[0], rate: rate, seed: watch.seed,
        stepper: TrackingMoment.Stepper(
          rule: carried.rule, inverse: { carried.divisor?.map { 1 / $0 } }),
        groups: Array(all.dropFirst())))
  }

  /// The caller's optimizer as it stands, by what a loss says of it: rule and numbers may be others at each check.
  private func carried(
    _ loss: CallbackLoss, _ state: [String: [Double]]
  ) throws -> (rule: StepRule?, divisor: [Double]?) {
    guard let rule = loss.rule?.make() ?? optimizer else { return (nil, nil) }
    // A run that has left the numbers will say so by its losses.
    guard state.values.allSatisfy({ $0.allSatisfy(\.isFinite) }) else {
      return (rule.stability, nil)
    }
    do {
      let carried = try CarriedOptimizer(
        rule, updates: loss.standing?.updates ?? 0, tensors: state,
        rateFactors: loss.standing?.rateFactors, decays: loss.standing?.decays,
        parameters: loss.parameters)
      return (carried.stability, carried.carriedPreconditioner)
    } catch let error as TrainingError {
      throw DiagnosisFailure(.usage, "\(error)")
    }
  }

  func report(_ more: [String]) throws -> Answered {
    let report = MonitorReport(
      watch, optimizer: optimizer?.phrase, batch: batch, notes: notes + more)
    return Answered(json: try report.json(), text: { report.terminalText($0) })
  }

  func end() throws {
    guard let log, watch.stepCount > 0 else { return }
    try log.note(
      .ended(
        step: watch.stepCount,
        TrainingEnding(
          .finished, "The monitor was closed after \(Wording.count(watch.stepCount, "step")).")))
    try log.flush()
  }

  func flush() throws { try log?.flush() }
}

/// What has become of a step, as bits.
private enum News {
  static let alarm: Int32 = 1
  static let check: Int32 = 2
}

@_cdecl("eigenstep_monitor_open")
public func eigenstepMonitorOpen(
  _ settings: UnsafePointer<CChar>?, _ monitor: UnsafeMutablePointer<OpaquePointer?>?
) -> OpaquePointer {
  monitor?.pointee = nil
  return CallResult.of {
    guard let monitor else {
      throw DiagnosisFailure(
        .usage, "There is no place for the monitor; give the address of a pointer.")
    }
    let session = try MonitorSession(settings.map { String(cString: $0) } ?? "{}")
    monitor.pointee = OpaquePointer(Unmanaged.passRetained(session).toOpaque())
    return try session.report([])
  }
}

@_cdecl("eigenstep_monitor_step")
public func eigenstepMonitorStep(
  _ monitor: OpaquePointer?, _ loss: Double, _ rate: Double, _ next: Double
) -> Int32 {
  guard let session = session(monitor) else { return -1 }
  return session.lock.withLock {
    do {
      var news: Int32 = 0
      if try session.watch.observe(loss: loss, rate: rate) != nil { news |= News.alarm }
      if session.watch.wantsCheck(rate: next) { news |= News.check }
      return news
    } catch { return -1 }
  }
}

@_cdecl("eigenstep_monitor_wait")
public func eigenstepMonitorWait(_ monitor: OpaquePointer?) -> Int64 {
  guard let session = session(monitor) else { return -1 }
  return session.lock.withLock { Int64(session.watch.stepsToCheck) }
}

@_cdecl("eigenstep_monitor_alarm")
public func eigenstepMonitorAlarm(_ monitor: OpaquePointer?) -> OpaquePointer {
  struct Alarm: Encodable {
    let step: Int
    let sentence: String
    let rateFactor: Double
    /// The step whose point is meant; nil to stay.
    let backTo: Int?
  }
  return asked(monitor) { session in
    guard let alarm = session.watch.lastAlarm else {
      throw DiagnosisFailure(.usage, "There was no alarm.")
    }
    let json = try OrderedJSON.string(
      Alarm(
        step: session.watch.stepCount - 1, sentence: alarm.sentence,
        rateFactor: alarm.rateFactor,
        backTo: alarm.goesBack ? session.watch.pointStep : nil), indented: false)
    return Answered(json: json, text: { _ in alarm.sentence })
  }
}

@_cdecl("eigenstep_monitor_check")
public func eigenstepMonitorCheck(
  _ monitor: OpaquePointer?, _ losses: UnsafePointer<eigenstep_loss>?, _ count: Int32,
  _ rate: Double, _ arrays: UnsafePointer<eigenstep_array>?, _ arrayCount: Int32,
  _ watch: UnsafePointer<eigenstep_watch>?
) -> OpaquePointer {
  struct Check: Encodable {
    let step: Int
    let values: [TrackedValue]
  }
  return asked(monitor) { session in
    guard count <= 0 || losses != nil else {
      throw DiagnosisFailure(
        .usage, "The count of losses is \(count), and no loss is given; give as many as it says.")
    }
    let all = try UnsafeBufferPointer(start: losses, count: Int(max(0, count)))
      .map { try CallbackLoss($0) }
    let values = try session.check(
      all, rate: rate, arrays: CallerArrays(arrays, count: arrayCount),
      context: RunContext(watch?.pointee))
    return Answered(
      json: try OrderedJSON.string(
        Check(step: session.watch.stepCount, values: values), indented: false),
      text: { _ in "" })
  }
}

@_cdecl("eigenstep_monitor_keep")
public func eigenstepMonitorKeep(
  _ monitor: OpaquePointer?, _ steps: UnsafeMutablePointer<Int64>?, _ capacity: Int32
) -> Int32 {
  guard let session = session(monitor), let steps else { return -1 }
  return session.lock.withLock {
    guard let kept = session.watch.keepPoint() else { return -1 }
    for (index, step) in kept.prefix(Int(max(0, capacity))).enumerated() {
      steps[index] = Int64(step)
    }
    return Int32(kept.count)
  }
}

@_cdecl("eigenstep_monitor_report")
public func eigenstepMonitorReport(
  _ monitor: OpaquePointer?, _ note: UnsafePointer<CChar>?
) -> OpaquePointer {
  return asked(monitor) { session in
    try session.flush()
    return try session.report(note.map { [String(cString: $0)] } ?? [])
  }
}

@_cdecl("eigenstep_monitor_state")
public func eigenstepMonitorState(_ monitor: OpaquePointer?) -> OpaquePointer {
  return asked(monitor) { session in
    let encoder = JSONEncoder()
    encoder.nonConformingFloatEncodingStrategy = .convertToString(
      positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
    let json = String(decoding: try encoder.encode(session.watch.state), as: UTF8.self)
    return Answered(json: json, text: { _ in "" })
  }
}

@_cdecl("eigenstep_monitor_restore")
public func eigenstepMonitorRestore(
  _ monitor: OpaquePointer?, _ state: UnsafePointer<CChar>?
) -> OpaquePointer {
  return asked(monitor) { session in
    let decoder = JSONDecoder()
    decoder.nonConformingFloatDecodingStrategy = .convertFromString(
      positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
    let text = state.map { String(cString: $0) } ?? ""
    guard let state = try? decoder.decode(LoopState.self, from: Data(text.utf8)),
      try session.watch.restore(state)
    else {
      throw DiagnosisFailure(
        .usage,
        "The state is not that of a monitor with the same trackers and guard; make the monitor as it was."
      )
    }
    return try session.report([])
  }
}

@_cdecl("eigenstep_monitor_close")
public func eigenstepMonitorClose(_ monitor: OpaquePointer?) {
  guard let monitor else { return }
  let session = Unmanaged<MonitorSession>.fromOpaque(UnsafeRawPointer(monitor)).takeRetainedValue()
  session.lock.withLock { try? session.end() }
}

private func session(_ pointer: OpaquePointer?) -> MonitorSession? {
  pointer.map {
    Unmanaged<MonitorSession>.fromOpaque(UnsafeRawPointer($0)).takeUnretainedValue()
  }
}

private func asked(
  _ monitor: OpaquePointer?, _ work: (MonitorSession) throws -> Answered
) -> OpaquePointer {
  CallResult.of {
    guard let session = session(monitor) else {
      throw DiagnosisFailure(.usage, "There is no monitor; open one and give its pointer.")
    }
    return try session.lock.withLock { try work(session) }
  }
}
