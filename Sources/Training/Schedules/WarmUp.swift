import Presentation

/// A straight line up to the rate that a schedule begins with, over `W` steps, and then the schedule:
/// `(t + 1) / (W + 1)` of its first rate, so that no step is lost to a rate of zero and step `W` is the
/// schedule's first.
///
/// The schedule counts from the end of the warm-up and takes the rest for its run. One that measures is asked
/// during the warm-up as well, and the line leads to what it answers; losses of the warm-up are not told to it.
/// PyTorch's `LinearLR(start_factor=1 / (W + 1), total_iters=W)` before `SequentialLR`; optax' `join_schedules`.
public struct WarmUp: Schedule {
  public private(set) var schedule: any Schedule
  public let length: ScheduleLength
  private var isOver = false

  public init(_ length: Double, before schedule: any Schedule) {
    self.length = ScheduleLength(length)
    self.schedule = schedule
  }

  public var name: String { schedule.name }
  public var phrase: String { "\(schedule.phrase), after a linear warm-up of \(length.phrase)" }
  public var hyperparameters: [String: Double] { schedule.hyperparameters }
  public var measurement: ScheduleMeasurement? { schedule.measurement }

  /// Whether the warm-up is over, and what the schedule remembers.
  public var memory: [Double] {
    get { [isOver ? 1 : 0] + schedule.memory }
    set {
      isOver = newValue[0] == 1
      schedule.memory = Array(newValue.dropFirst())
    }
  }

  public mutating func rate(_ moment: ScheduleMoment) -> Double {
    // A whole number of steps, and one for the schedule.
    let steps = min(
      length.steps(of: moment.stepCount).rounded(), Double(max(0, moment.stepCount - 1)))
    isOver = Double(moment.step) >= steps
    var inner = moment
    inner.step = max(0, moment.step - Int(steps))
    inner.stepCount = moment.stepCount - Int(steps)
    let rate = schedule.rate(inner)
    return isOver ? rate : rate * Double(moment.step + 1) / (steps + 1)
  }

  public mutating func observe(loss: Double) {
    if isOver { schedule.observe(loss: loss) }
  }
}
