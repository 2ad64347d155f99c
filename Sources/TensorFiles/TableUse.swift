import Presentation

/// What a table feeds. By one set of rules either takes the same cells for numbers, words and missing
/// values; refuses a spoilt column where it is used, and a missing value of the target; counts the words of
/// a target from 0 in ascending order; and calls a target whole where all its numbers are integers below
/// 2^53 in size, beyond which every double is one.
///
/// A model file differs where its model was made before: its input has a fixed number of columns and its
/// outputs a fixed meaning.
///
/// | | a tabular model | a model file |
/// |---|---|---|
/// | a column of words among the features | a feature of 0 or 1 per word | refused |
/// | a missing value among them | its row or column left out, the column's mean, or refused | refused |
/// | an identifier, a date | left out | taken |
/// | a word among numbers | taken for missing, or refused | refused |
/// | a whole target | classes, renumbered, where `TargetReading` says so | as it stands |
/// | one row, one class, a class per row | refused, there is nothing to learn | taken |
/// | a constant or counting column | noted | taken |
/// | a sentence's way out | `--drop`, `--missing mean` | without these options, which it has not |
enum TableUse {
  /// - `hasBias`: whether the model has one, which a constant column doubles.
  /// - `kept`: columns that were asked for by name, whatever they hold.
  case tabularModel(TabularData.MissingValues, hasBias: Bool, kept: Set<String>)
  case modelFile

  var hasBias: Bool { if case .tabularModel(_, let hasBias, _) = self { hasBias } else { false } }

  /// What can be done about a spoilt column of that name.
  func remedy(_ remedy: Column.Fault.Remedy, column: String, isTarget: Bool) -> Message {
    let category = "if it is a category, write every cell of the column as a word."
    switch (self, remedy) {
    case (.tabularModel, .mend):
      return "mend it, or leave the column out with \(option: .dropped, column); \(category)"
    case (.modelFile, .mend): return isTarget ? "mend it; \(category)" : "mend it."
    case (.tabularModel, .mendOrRemoveRow):
      return "mend it, remove the row, or leave the column out with \(option: .dropped, column)."
    case (.modelFile, .mendOrRemoveRow): return "mend it or remove the row."
    case (.tabularModel, .leaveOut): return "leave it out with \(option: .dropped, column)."
    case (.modelFile, .leaveOut):
      return isTarget ? "fill it in." : "fill it in or remove the column."
    }
  }

  /// What can be done about a missing value of a feature of that name.
  func missingRemedy(column: String, isText: Bool) -> Message {
    switch self {
    case .modelFile: "the value is missing; fill it in or remove the row."
    case .tabularModel:
      isText
        ? "the value is missing; fill it in, remove the row, or leave the column out with "
          + "\(option: .dropped, column)."
        : "the value is missing; fill it in, remove the row, leave the column out with "
          + "\(option: .dropped, column), or take the column's mean with "
          + "\(option: .missing, "mean")."
    }
  }
}

extension Column {
  /// Refuses a column that has a spoilt cell.
  func checkUsable(in table: Table, for use: TableUse, isTarget: Bool) throws {
    guard let fault else { return }
    let remedy = use.remedy(fault.remedy, column: name, isTarget: isTarget)
    throw error("\(fault.complaint); \(remedy)", row: fault.row, in: table)
  }

  func error(_ sentence: Message, row: Int, in table: Table) -> TableError {
    TableError(sentence, path: table.path, line: table.lines[row], column: name)
  }
}
