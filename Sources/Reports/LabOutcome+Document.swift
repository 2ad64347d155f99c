import Labs
import Presentation

extension LabResult {
  /// The tables of a lab as text for people.
  public func terminalText(_ style: TerminalStyle) -> String { document.terminalText(style) }

  /// What a lab measured, as people read it.
  public var document: Document {
    Document(
      sections: tables.map { table in
        Document.Section(table.title, [.table(table.table), .text(table.remark)])
      })
  }
}
