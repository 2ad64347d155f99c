/// How the numbers of a column are written, where it is not with a point and nothing else.
///
/// A column is written in one way: `1,5` is one and a half where others of the column or of the table say
/// so, and `1,500` fifteen hundred beside `2,300.50`.
enum NumberSpelling: Sendable, CaseIterable {
  /// `0,5`; thousands may stand apart by points, spaces or apostrophes: `1.234,5`.
  case decimalComma
  /// `1,234.5`; likewise by spaces or apostrophes.
  case groupedThousands
  /// `1.234` is a thousand and more, as other columns of the table have commas for decimals.
  case pointedThousands

  /// The number that a cell's text means, nil where it is none.
  func value(_ text: String) -> Double? {
    let hasCommas = self != .groupedThousands
    let decimal: Unicode.Scalar = hasCommas ? "," : "."
    let separators: Set<Unicode.Scalar> = [
      hasCommas ? "." : ",", " ", "'", "\u{A0}", "\u{202F}", "\u{2009}", "\u{2019}",
    ]
    var plain = ""
    var separator: Unicode.Scalar?
    // Digits since the last separator, of the whole part.
    var run = 0
    var (isFraction, isExponent, groups) = (false, false, 0)
    for (place, scalar) in text.unicodeScalars.enumerated() {
      switch scalar {
      case "0"..."9":
        plain.unicodeScalars.append(scalar)
        run += 1
      case "+", "-", "\u{2212}":
        guard place == 0 || plain.last == "e" else { return nil }
        plain += scalar == "+" ? "+" : "-"
      case "e", "E":
        guard run > 0, !isExponent, groups == 0 || run == 3 || isFraction else { return nil }
        isExponent = true
        plain += "e"
      case decimal:
        guard !isFraction, !isExponent, run > 0, groups == 0 || run == 3 else { return nil }
        isFraction = true
        plain += "."
        run = 0
      case _ where separators.contains(scalar):
        guard !isFraction, !isExponent, separator == nil || separator == scalar,
          groups == 0 ? (1...3).contains(run) : run == 3,
          groups > 0 || !plain.drop(while: { !$0.isNumber }).hasPrefix("0")
        else { return nil }
        separator = scalar
        groups += 1
        run = 0
      default: return nil
      }
    }
    // A number ends with a digit, a group with three.
    guard run > 0, groups == 0 || isFraction || isExponent || run == 3 else { return nil }
    return Double(plain)
  }

  /// An example of what it means, for a sentence.
  var example: (written: String, read: String) {
    switch self {
    case .decimalComma: ("1,5", "1.5")
    case .groupedThousands: ("1,234", "1234")
    case .pointedThousands: ("1.234", "1234")
    }
  }
}

/// A table's convention, from those of its columns that can be read in one way only.
struct NumberConvention {
  private let preferred: NumberSpelling
  /// Whether a column has numbers that a decimal comma alone makes sense of.
  let hasDecimalCommas: Bool

  /// - Parameters:
  ///   - columns: words of the columns that are not plain numbers.
  ///   - hasFractions: whether another column has numbers with a point.
  ///   - delimiter: between fields.
  init(_ columns: [Column.Words], hasFractions: Bool, delimiter: UInt8) {
    var (commas, points) = (false, hasFractions)
    for words in columns {
      let fits = [NumberSpelling.decimalComma, .groupedThousands].filter { spelling in
        !words.distinct.isEmpty && words.distinct.allSatisfy { spelling.value($0) != nil }
      }
      if fits == [.decimalComma] { commas = true }
      if fits == [.groupedThousands] { points = true }
    }
    hasDecimalCommas = commas
    preferred =
      if commas != points { commas ? .decimalComma : .groupedThousands } else {
        // Where a comma stands between fields it is rarely in a number.
        delimiter == UInt8(ascii: ",") ? .groupedThousands : .decimalComma
      }
  }

  /// The spellings to try, most likely first.
  var order: [NumberSpelling] {
    preferred == .decimalComma
      ? [.decimalComma, .groupedThousands] : [.groupedThousands, .decimalComma]
  }
}
