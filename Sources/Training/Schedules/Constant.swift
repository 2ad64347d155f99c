/// The rate as it was given, for all steps.
public struct Constant: Schedule {
  public static let entry = ScheduleEntry("constant", formula: "rate") { _ in Constant() }

  public let name = "constant"
  public let phrase = "a constant rate"

  public init() {}

  public mutating func rate(_ moment: ScheduleMoment) -> Double { moment.rate }
}
