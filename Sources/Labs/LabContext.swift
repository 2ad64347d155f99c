import TensorPrograms

/// What a lab is run with.
public struct LabContext: Sendable {
  public enum Setting: String, Sendable, Codable, CaseIterable {
    /// For tests: as few numbers as show the point.
    case small
    case full
  }

  /// Runs tensor programs, for labs that have any.
  public let executor: any Executor
  public let seed: Int
  public let setting: Setting
  var values: [String: Double]
  /// Told where the lab is, and asked whether to go on.
  public let run: RunContext

  /// - Parameter values: parameters by name; those that are missing get their defaults.
  public init(
    executor: any Executor, seed: Int = 0, setting: Setting = .full, values: [String: Double] = [:],
    run: RunContext = RunContext()
  ) {
    self.executor = executor
    self.seed = seed
    self.setting = setting
    self.values = values
    self.run = run
  }

  /// The value of a parameter that the lab declares.
  public subscript(name: String) -> Double {
    guard let value = values[name] else { preconditionFailure("no parameter \(name) is declared") }
    return value
  }

  /// Says where the lab is; to be called between steps that take a moment.
  ///
  /// - Throws: `CancellationError` once the run is cancelled.
  public func progress(_ stage: String, _ fraction: Double? = nil) throws {
    try run.checkCancellation()
    run.report(stage, fraction: fraction)
  }
}
