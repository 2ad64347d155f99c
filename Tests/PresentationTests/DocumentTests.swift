import Foundation
import Presentation
import Testing

@Suite struct DocumentTests {
  static let table = DataTable(
    [
      .words("remedy"), DataTable.Column("steps", missing: "never"),
      DataTable.Column("gap", .significant(2)), DataTable.Column("kept", unit: "per step", .kept),
      .words(),
    ],
    [
      DataTable.Row(
        [.text("newton"), .integer(1), .number(6.5e-22), .number(0.5), .blank], emphasis: .best,
        caption: "solve for the step"),
      DataTable.Row([
        .text("descent"), .moreThan(200_000), .number(0.0171), .number(1 - 2e-7), .text("slow"),
      ]),
      DataTable.Row(
        [.text("momentum"), .missing, .missing, .missing, .text("diverged")], emphasis: .failed),
    ], isRanked: true)

  static let document = Document(
    title: "wine.csv: 178 rows",
    sections: [
      .init(
        nil,
        [
          .paragraph(.init("The columns differ.", lead: "Why", tone: .caution)),
          .paragraph(.init("Standardise them.", lead: "Do", tone: .advice)),
        ]),
      .init("Remedies", [.table(table), .explanation("Steps until it is there.")]),
      .init("Also", [.notes(["One thing.", "Another."]), .text("The end.")]),
      .init(nil, [.checks([.init(true, "library: found"), .init(false, "runtime: missing")])]),
      .init(
        "Curve",
        [
          .figure(
            Figure(
              [.line(name: "loss", x: [1, 10, 100], y: [1, 0.1, 0.01])],
              x: .init("step", scale: .logarithmic), y: .init("loss", scale: .logarithmic),
              marks: [.init("here", at: 10)], caption: "It falls."))
        ]),
    ])

  static let plain = TerminalStyle(colours: false, width: 60)

  @Test func `a document on a terminal`() {
    let text = Self.document.terminalText(Self.plain)
    let figure = text.range(of: "\n\nCurve\n")!
    #expect(
      text[..<figure.lowerBound]
        == """
        wine.csv: 178 rows

        Why   The columns differ.
        Do    Standardise them.

        Remedies
            remedy        steps      gap  kept (per step)
          * newton            1  6.5e-22              0.5
              solve for the step
            descent   > 200,000    0.017         1 - 2e-7  slow
            momentum      never        -                -  diverged
          Steps until it is there.

        Also
          - One thing.
          - Another.
        The end.

        ok    library: found
        FAIL  runtime: missing
        """.replacing("    remedy  ", with: "  remedy    "))
  }

  @Test func `colours change nothing but colours`() {
    let coloured = Self.document.terminalText(TerminalStyle(colours: true, width: 60))
    #expect(coloured.contains("\u{1B}[32m  * newton"))
    #expect(coloured.contains("\u{1B}[31m    momentum"))
    #expect(
      coloured.replacing(/\u{1B}\[[0-9;]*m/, with: "") == Self.document.terminalText(Self.plain))
  }

  @Test func `a remark that does not fit goes below its row`() {
    let table = DataTable(
      [.words(), DataTable.Column(), .words()],
      [
        DataTable.Row([
          .text("condition number"), .number(4.5e8),
          .text("any rate that is safe in the sharpest direction crawls in the flattest"),
        ]),
        DataTable.Row([.text("on a larger sample"), .number(2), .text("short")], level: 1),
      ])
    #expect(
      Document(sections: [.init("Curvature", [.table(table)])]).terminalText(Self.plain) == """
        Curvature
          condition number      4.5e8
              any rate that is safe in the sharpest direction crawls
              in the flattest
            on a larger sample      2  short

        """)
  }

  @Test func `a listing stays on its lines and at the margin`() {
    let long = String(repeating: "w", count: 200)
    let table = DataTable(
      [.words("name"), DataTable.Column("numbers")],
      [
        DataTable.Row([.text(long), .integer(1234)]), DataTable.Row([.text("b"), .integer(1)]),
      ])
    let lines = Document(sections: [.init(nil, [.table(table), .text("2 in all.")])]).listing()
      .split(separator: "\n")
    #expect(lines.count == 4 && lines[1] == "\(long)    1,234" && lines[3] == "2 in all.")
    #expect(lines[2].hasPrefix("b ") && lines[0].hasPrefix("name ") && lines[0].count == 209)
  }

  @Test func `foreign text cannot command the terminal`() {
    let evil = "x\u{1B}[2Jy"
    let document = Document(
      title: evil,
      sections: [
        .init(
          evil,
          [
            .paragraph(.init(evil, lead: evil)), .notes([evil]), .checks([.init(true, evil)]),
            .table(DataTable([.words(evil)], [DataTable.Row([.text(evil)], caption: evil)])),
            .figure(
              Figure(
                [.rug(name: evil, x: [1, 2])], x: .init(evil, unit: evil), y: .init(evil),
                marks: [.init(evil, at: 1)], caption: evil)),
            .figure(
              Figure(
                [.points(name: evil, x: [1, 2], y: [1, 2])], x: .init(evil, unit: evil),
                y: .init(evil), marks: [.init(evil, at: 1)], caption: evil)),
          ])
      ])
    #expect(!document.terminalText(Self.plain).contains("\u{1B}"))
  }

  @Test func `a document reads back`() throws {
    let text = try OrderedJSON.string(Self.document)
    #expect(try JSONDecoder().decode(Document.self, from: Data(text.utf8)) == Self.document)
  }

  @Test func `a ragged table is refused`() {
    let json =
      #"{"columns":[],"rows":[{"cells":[{"blank":{}}],"emphasis":"none","level":0}],"#
      + #""isRanked":false}"#
    #expect(throws: DecodingError.self) {
      try JSONDecoder().decode(DataTable.self, from: Data(json.utf8))
    }
  }
}
