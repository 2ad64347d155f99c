import Presentation

extension TableCleaning {
  /// Why rows are too few, and what leads on from here.
  ///
  /// - Parameters:
  ///   - others: how many features miss nothing.
  ///   - left: rows that miss nothing.
  static func tooFew(
    _ gaps: [Column], besides others: Int, _ fillsIn: Bool, left: Int, of rows: Int, path: String
  ) -> TableError {
    let names = names(gaps)
    var ways: [Message] = []
    if fillsIn || gaps.allSatisfy({ $0.words != nil }) {
      ways.append("fill them in")
    } else {
      ways.append("take the columns' means with \(option: .missing, "mean")")
    }
    if others > 0 { ways.append("leave columns out with \(option: .dropped, names)") }
    if left >= 2, !fillsIn { ways.append("leave the rows out with \(option: .kept, names)") }
    return TableError(
      "\(rows - left) of \(rows) rows miss a value of \(list(gaps)), too many to leave out; "
        + ways.dropFirst().reduce(ways[0]) { $0 + ", or " + $1 } + ".", path: path)
  }

  /// "`a`, `b`, `c` and 4 more".
  static func list(_ columns: [Column]) -> String {
    let names = columns.map { "`\($0.name)`" }
    guard names.count > 6 else {
      return names.count < 2
        ? names.joined()
        : names.dropLast().joined(separator: ", ") + " and " + names[names.count - 1]
    }
    return names.prefix(5).joined(separator: ", ") + " and \(names.count - 5) more"
  }

  /// The columns as an option takes them; of very many the first.
  static func names(_ columns: [Column]) -> String {
    argument(columns.prefix(20).map(\.name).joined(separator: ","))
      + (columns.count > 20 ? ",..." : "")
  }

  /// As a shell takes it for one word.
  static func argument(_ text: String) -> String {
    text.allSatisfy { $0.isLetter || $0.isNumber || "_-.,:/".contains($0) } ? text : "\"\(text)\""
  }
}
