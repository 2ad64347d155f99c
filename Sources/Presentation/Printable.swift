/// The one door for text that others wrote, on its way into a sentence or onto a terminal: names of
/// columns, classes, arrays, nodes and files, values of options, messages of other libraries.
///
/// A terminal acts on control characters, and shows text in another order or not at all after a
/// bidirectional override or a character without width. Data keep the exact name; only what is shown
/// goes through here.
///
/// Reference: Unicode Standard Annex 9 (bidirectional formatting), Annex 44 (general categories,
/// Default_Ignorable_Code_Point); ECMA-48 (control functions).
package enum Printable {
  /// The text on one line, each character that does not stand for itself replaced by `?`.
  package static func line(_ text: String) -> String { replaced(text) { _ in false } }

  /// Likewise, but line breaks (`\n`) stay: for text of several lines that were printable each.
  package static func lines(_ text: String) -> String { replaced(text) { $0 == "\n" } }

  /// A name out of a file, fit to stand in a sentence: on one line, without other spaces than plain ones,
  /// and not too long.
  package static func name(_ name: String) -> String {
    let clean = name.unicodeScalars.prefix(80).map { scalar in
      !isSafe(scalar) || scalar.properties.isWhitespace && scalar != " " ? "?" : String(scalar)
    }
    return clean.joined() + (name.unicodeScalars.count > 80 ? "..." : "")
  }

  /// Whether a scalar may be shown as it is. Variation selectors may: they choose between two looks of
  /// the character before.
  package static func isSafe(_ scalar: Unicode.Scalar) -> Bool {
    if scalar.isASCII { return scalar.value >= 0x20 && scalar.value != 0x7F }
    let properties = scalar.properties
    switch properties.generalCategory {
    case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate: return false
    default: return !properties.isDefaultIgnorableCodePoint || properties.isVariationSelector
    }
  }

  private static func replaced(
    _ text: String, except isKept: (Unicode.Scalar) -> Bool
  ) -> String {
    if text.unicodeScalars.allSatisfy({ isSafe($0) || isKept($0) }) { return text }
    return String(
      String.UnicodeScalarView(
        text.unicodeScalars.map { isSafe($0) || isKept($0) ? $0 : "?" }))
  }
}
