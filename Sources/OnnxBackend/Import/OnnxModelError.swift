import Presentation
import TensorPrograms

/// What is wrong with a model file, or with what was asked of it, in one sentence.
public struct OnnxModelError: Error, Hashable, Sendable, CustomStringConvertible {
  public enum Kind: Sendable {
    case badModel, cannotWrite
  }

  public let kind: Kind
  public let description: String

  /// Names come from the file: what would break the line or reach the terminal as a command is replaced.
  package init(_ description: String, kind: Kind = .badModel) {
    self.kind = kind
    // A shape of a million axes and a name of a megabyte are cut.
    let cut = description.unicodeScalars.count > 2000
    self.description = Printable.line(
      cut ? String(description.unicodeScalars.prefix(2000)) + "..." : description)
  }
}
