import Presentation
import Training

/// What was seen on the way, of a training and of a loop that somebody else runs.
enum TrackingSections {
  /// Each number that was tracked, what the checks took in words, and what the numbers say.
  static func tracked(
    _ tracked: [TrainingHistory.Tracked], findings: [TrackingFinding], cost: String
  ) -> Document.Section? {
    guard !tracked.isEmpty else { return nil }
    let columns: [DataTable.Column] = [
      .words(), .words(), DataTable.Column("first", .significant(4)),
      DataTable.Column("last", .significant(4)), DataTable.Column("lowest", .significant(4)),
      DataTable.Column("highest", .significant(4)), DataTable.Column("limit", .significant(4)),
      DataTable.Column("over it"),
    ]
    let rows = tracked.map { item in
      DataTable.Row([
        .text(item.name), .text(item.part.map { TrackedValue.words(ofPart: $0) } ?? ""),
        .number(item.first), .number(item.last),
        .number(item.lowest), .number(item.highest), .number(orMissing: item.threshold),
        item.threshold == nil ? .blank : .text("\(item.crossings) of \(item.checks)"),
      ])
    }
    return Document.Section(
      "On the way",
      [.table(DataTable(columns, rows)), .explanation(cost)]
        + (findings.isEmpty ? [] : [.notes(findings.map(\.sentence))]))
  }

  /// The first alarms of so many.
  static func alarms(_ alarms: [TrainingHistory.Alarm], of count: Int) -> Document.Section? {
    guard count > 0 else { return nil }
    let shown = alarms.prefix(10).map {
      "After step \(Wording.count($0.step)): \($0.sentence)"
    }
    let rest = count - shown.count
    return Document.Section(
      "Alarms", [.notes(shown + (rest > 0 ? ["And \(Wording.count(rest)) more."] : []))])
  }
}
