import Presentation

/// The names of a table's columns: those of its header, and others for columns that have none or whose
/// name an earlier one has.
struct TableHeader {
  /// What a column is called and why.
  enum Origin: Sendable, Equatable {
    case header
    /// Nothing stands in the header.
    case nameless
    /// An earlier column has this name.
    case repeated(String)
  }

  private(set) var names: [String]
  private(set) var origins: [Origin]

  /// - Parameter given: the header's fields; an empty one gets a name as pandas gives it, `Unnamed: 0`,
  ///   and one that was there before gets `.1` at its end.
  init(_ given: [String]) {
    origins = given.map { $0.isEmpty ? .nameless : .header }
    names = given
    var taken = Set(given)
    func free(_ candidates: some Sequence<String>) -> String {
      let name = candidates.first { !taken.contains($0) }!
      taken.insert(name)
      return name
    }
    var seen: Set<String> = []
    for (place, name) in given.enumerated() {
      if name.isEmpty {
        names[place] = free(
          (0...).lazy.map { $0 == 0 ? "Unnamed: \(place)" : "Unnamed: \(place).\($0)" })
      } else if !seen.insert(name).inserted {
        names[place] = free((1...).lazy.map { "\(name).\($0)" })
        origins[place] = .repeated(name)
      }
    }
  }

  /// Whether a name is one that exports give to columns without a name.
  static func isNameless(_ name: String) -> Bool { name.hasPrefix("Unnamed: ") }
}

/// What a name says of a column.
enum ColumnName {
  private static let identifiers: Set<String> = ["id", "ids", "uuid", "guid", "uid", "identifier"]
  private static let counters: Set<String> = [
    "index", "idx", "row", "rows", "no", "nr", "num", "number", "#", "sno", "rownames", "rowid",
    "rownum", "rownumber", "obs", "observation", "sample", "case", "record", "serial", "key",
  ]

  /// Whether it calls its column an identifier: `id`, `customer_id`, `PassengerId`, `orderID`.
  static func isIdentifier(_ name: String) -> Bool {
    words(name).last.map { identifiers.contains($0) } ?? false
  }

  /// Whether it calls its column the number of the row.
  static func isCounter(_ name: String) -> Bool {
    TableHeader.isNameless(name) || isIdentifier(name)
      || words(name).contains { counters.contains($0) } || counters.contains(name.lowercased())
  }

  static func isDate(_ name: String) -> Bool {
    words(name).contains { ["date", "day", "datum", "time", "dt", "timestamp"].contains($0) }
  }

  /// Its words in lower case: of letters and digits, a capital after a small letter begins another.
  static func words(_ name: String) -> [String] {
    var words: [String] = []
    var word = ""
    var wasSmall = false
    for character in name {
      guard character.isLetter || character.isNumber else {
        if !word.isEmpty { words.append(word) }
        (word, wasSmall) = ("", false)
        continue
      }
      if wasSmall, character.isUppercase {
        words.append(word)
        word = ""
      }
      word += character.lowercased()
      wasSmall = character.isLowercase
    }
    if !word.isEmpty { words.append(word) }
    return words
  }
}
