import Foundation

/// Sentences of a diagnosis for who called a function: what the command has a flag for is an argument there, or
/// a matter of the caller's own program.
enum CallersWords {
  private static let phrases: [(command: String, call: String)] = [
    ("With --effort 10 every", "With an effort of 10 every"),
    ("--effort allows more", "a larger effort allows more"),
    ("--effort", "effort"),
    ("such as --l2 1e-3", "such as a weight decay of 1e-3"),
    ("the penalty --l2 ", "the penalty of "),
    ("--precision float64", "float64"),
    ("or measure before that step with --at", "or measure before that step"),
    ("--seed ", "the seed "),
  ]

  /// The sentence without flags; those that have no words of their own lose their dashes.
  static func inCall(_ sentence: String) -> String {
    guard sentence.contains("--") else { return sentence }
    return phrases.reduce(sentence) { $0.replacing($1.command, with: $1.call) }
      .replacing(/--([a-z][a-z0-9-]*)/) { $0.1 }
  }
}

extension Finding {
  var inCall: Finding {
    var told = self
    told.sentence = CallersWords.inCall(sentence)
    return told
  }
}
