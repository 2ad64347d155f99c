import Presentation

/// Where a diagnosis is, for a line of progress.
public struct DiagnosisProgress: Sendable, Equatable {
  /// "reading wine.csv", "curvature", "trial: momentum".
  public let stage: String
  /// The part of the stage that is done, in `0...1`; nil where unknown.
  public let fraction: Double?

  public init(stage: String, fraction: Double? = nil) {
    self.stage = stage
    self.fraction = fraction
  }
}

/// The engine behind `eigenstep diagnose`: it measures, predicts and runs the prescriptions.
///
/// Once cancelled it stops soon and returns what was measured so far; if that is nothing, it throws
/// a ``DiagnosisFailure`` of kind `interrupted`.
public typealias DiagnosisRun =
  @Sendable (
    _ request: DiagnosisRequest, _ progress: @escaping @Sendable (DiagnosisProgress) -> Void,
    _ isCancelled: @escaping @Sendable () -> Bool
  ) throws -> DiagnosisReport

/// Why there is no diagnosis, in one sentence with the offending name and the next step.
public struct DiagnosisFailure: Error, Sendable, Equatable, CustomStringConvertible {
  public enum Kind: Sendable, CaseIterable {
    /// An option that makes no sense.
    case usage
    /// A table that cannot be used.
    case badData
    /// No such file.
    case noInput
    /// A library that is not there.
    case unavailable
    /// Our fault.
    case software
    /// An output that cannot be written.
    case cannotCreate
    /// Stopped before anything was measured.
    case interrupted
  }

  public let kind: Kind
  public let description: String

  public init(_ kind: Kind, _ description: String) {
    self.kind = kind
    self.description = Printable.line(description)
  }
}
