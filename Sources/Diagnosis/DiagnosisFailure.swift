import Presentation

/// Why there is no diagnosis, in one sentence with the offending name and the next step.
public struct DiagnosisFailure: MessageError, Sendable, Equatable {
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
  public let message: Message

  public init(_ kind: Kind, _ message: Message) {
    self.kind = kind
    self.message = message.printable
  }

  public init(_ kind: Kind, _ text: String) { self.init(kind, Message(text)) }
}
