import ArgumentParser
import Diagnosis
import Presentation
import Training

/// `eigenstep settings adam`.
struct SettingsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "settings",
    abstract: "List optimizers, methods, schedules and trackers with the numbers that each has.",
    discussion: """
      A number follows the name, as in --optimizer adamw:beta2=0.99 or --schedule one-cycle:rise=0.2.
      """,
    version: Eigenstep.version)

  @Argument(help: "One of them, or optimizers, methods, schedules or trackers. (default: all)")
  var name: String?

  func run() throws {
    try reporting {
      let all =
        OptimizerCatalogue.listing + MethodCatalogue.listing + ScheduleCatalogue.listing
        + TrackerCatalogue.listing
      var chosen = all
      if let name {
        chosen = all.filter { $0.kind == name || $0.kind == name + "s" || $0.names.contains(name) }
        guard !chosen.isEmpty else {
          let known = all.flatMap(\.names) + Set(all.map(\.kind)).sorted()
          throw DiagnosisFailure(
            .usage,
            "There is no setting '\(Printable.name(name))'"
              + (closestName(to: name, among: known).map { ": did you mean \($0)?" }
                ?? "; `eigenstep settings` lists all."))
        }
      }
      var sections: [Document.Section] = []
      for kind in ["optimizers", "methods", "schedules", "trackers"] {
        let rows = chosen.filter { $0.kind == kind }.flatMap(\.rows)
        guard !rows.isEmpty else { continue }
        let columns: [DataTable.Column] = [.words(kind), .words("default")]
        sections.append(Document.Section(nil, [.table(DataTable(columns, rows))]))
      }
      StandardOutput.write(
        Document(title: "NAME, or NAME:number=value,number=value", sections: sections)
          .terminalText(StandardOutput.style))
      return .done
    }
  }
}

/// An entry of a catalogue as lines of a table.
private struct SettingListing {
  let kind: String
  let names: [String]
  let rows: [DataTable.Row]
}

extension Catalogue {
  fileprivate static var listing: [SettingListing] {
    all.map { entry in
      let title = ([entry.name] + entry.aliases).joined(separator: ", ")
      return SettingListing(
        kind: kind + "s", names: [entry.name] + entry.aliases,
        rows: [DataTable.Row([.text(title), .blank], caption: entry.formula)]
          + entry.hyperparameters.map {
            DataTable.Row(
              [.text($0.name), .text(Wording.number($0.standard))], level: 1,
              caption: "\($0.meaning); \($0.range)")
          })
    }
  }
}
