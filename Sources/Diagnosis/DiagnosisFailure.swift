import Presentation

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
