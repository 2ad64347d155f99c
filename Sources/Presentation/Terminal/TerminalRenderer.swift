/// Documents as text for a terminal.
struct TerminalRenderer {
  let style: TerminalStyle
  /// Spaces before each line of a table.
  var tableIndent = 2

  func text(_ document: Document) -> String {
    let title = document.title.map { style.wrap($0).map { style.paint($0, .bold) } } ?? []
    return ([title] + document.sections.map(lines)).filter { !$0.isEmpty }
      .map { $0.joined(separator: "\n") }.joined(separator: "\n\n") + "\n"
  }

  private func lines(_ section: Document.Section) -> [String] {
    (section.heading.map { [style.paint($0, .bold)] } ?? []) + section.blocks.flatMap(lines)
  }

  private func lines(_ block: Document.Block) -> [String] {
    switch block {
    case .paragraph(let paragraph): lines(paragraph)
    case .notes(let notes): notes.flatMap { style.wrap("- \($0)", indent: 2, hanging: 4) }
    case .table(let table): lines(table)
    case .figure(let figure): FigureLines(figure: figure, style: style).lines
    // Not wrapped: what was found may be a path to copy.
    case .checks(let checks):
      checks.map { "\($0.isPassed ? "ok  " : "FAIL")  \(Printable.line($0.text))" }
    }
  }

  private func lines(_ paragraph: Document.Paragraph) -> [String] {
    guard let lead = paragraph.lead else {
      return style.wrap(paragraph.text, indent: paragraph.isExplanation ? 2 : 0)
    }
    let indent = max(6, lead.count + 2)
    var lines = style.wrap(paragraph.text, indent: indent)
    guard !lines.isEmpty else { return [] }
    let space = String(repeating: " ", count: indent - lead.count)
    lines[0] = style.paint(lead, [.bold] + ink(paragraph.tone)) + space + lines[0].dropFirst(indent)
    return lines
  }

  private func ink(_ tone: Document.Tone) -> [TerminalStyle.Ink] {
    switch tone {
    case .plain: []
    case .caution: [.yellow]
    case .fact: [.cyan]
    case .advice: [.green]
    }
  }

  private func lines(_ table: DataTable) -> [String] {
    let text = TextTable(
      columns: table.columns.map { $0.name + ($0.unit.map { " (\($0))" } ?? "") },
      rows: table.rows.map { row in
        var cells = zip(row.cells, table.columns).map { table.text($0, in: $1) }
        let mark = table.isRanked ? (row.emphasis == .best ? "* " : "  ") : ""
        if !cells.isEmpty { cells[0] = mark + String(repeating: "  ", count: row.level) + cells[0] }
        return cells
      }, sides: table.columns.map(\.side), indent: tableIndent)
    let hasHeading = table.columns.contains { !$0.name.isEmpty }
    let hasRemarks = table.columns.last?.name.isEmpty == true
    var lines = hasHeading ? [style.paint(text.heading, .dim)] : []
    for (index, line) in text.lines.enumerated() {
      let row = table.rows[index]
      let (head, remark) = text.split(index)
      switch row.emphasis {
      // A line that is too wide loses the remark at its end to the next lines.
      case .none where line.count > style.width && hasRemarks && !remark.isEmpty:
        lines += [head] + style.wrap(remark, indent: 6)
      case .none: lines.append(line)
      case .best: lines.append(style.paint(line, .green))
      case .failed: lines.append(style.paint(line, .red))
      }
      if let caption = row.caption {
        lines += style.wrap(caption, indent: 6).map { style.paint($0, .dim) }
      }
    }
    return lines
  }
}

extension Document {
  /// The document as text for people.
  public func terminalText(_ style: TerminalStyle) -> String {
    TerminalRenderer(style: style).text(self)
  }

  /// The same without colours, its lines as long as they are and its tables at the margin: for a listing
  /// that is searched line by line.
  public func listing() -> String {
    TerminalRenderer(style: TerminalStyle(colours: false, width: .max), tableIndent: 0).text(self)
  }
}
