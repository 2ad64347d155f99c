import Foundation
import Presentation
import Testing

@Suite struct FigureTests {
  static func lines(_ figure: Figure, width: Int = 61) -> [String] {
    Document(sections: [.init("F", [.figure(figure)])])
      .terminalText(TerminalStyle(colours: false, width: width))
      .split(separator: "\n", omittingEmptySubsequences: false).dropFirst().dropLast().map(
        String.init)
  }

  /// 57 places: from 0.01 to 100 each decade takes 14 of them.
  @Test func `places on a logarithmic axis`() {
    let figure = Figure(
      [.rug(name: "ideal rates", x: [0.01, 1, 1, 100])],
      x: .init("rate", scale: .logarithmic), y: .init(""),
      marks: [.init("limit", at: 10), .init("yours", at: 0.1)], caption: "Nothing.")
    let lines = Self.lines(figure)
    #expect(lines.count == 4)
    #expect(lines[0] == "  0.01" + String(repeating: " ", count: 50) + "100")
    let axis = lines[1].dropFirst(2)
    #expect(axis.count == 57)
    for (offset, character) in axis.enumerated() {
      #expect(character == (offset == 0 || offset == 56 ? "o" : offset == 28 ? "2" : "-"))
    }
    #expect(lines[2] == "  " + String(repeating: " ", count: 14) + "^ yours 0.1")
    #expect(lines[3] == "  " + String(repeating: " ", count: 42) + "^ limit 10")
  }

  @Test func `bars on a logarithmic scale`() {
    let figure = Figure(
      [
        .bars(
          name: "share",
          [
            .init(0, 1, height: 1, interval: .init(1, 1)),
            .init(1, 2, height: 0.1, interval: .init(0.09, 0.13)),
            .init(2, 3, height: 0.01, interval: nil), .init(3, 4, height: 0, interval: nil),
          ])
      ],
      x: .init("eigenvalue"),
      y: .init("share", scale: .logarithmic, format: .percent, range: .init(0.01, 1)),
      caption: "What to see.")
    #expect(
      Self.lines(figure) == [
        "  What to see.", "  0  1      100 %  #####################",
        "  1  2  9 to 13 %  ###########", "  2  3             #", "  3  4",
      ])
  }

  @Test func `lines and points on a grid`() {
    let figure = Figure(
      [
        .line(name: "loss", x: [1, 10, 100], y: [1, 0.1, 0.01]),
        .points(name: "run", x: [100], y: [1]),
      ],
      x: .init("step", scale: .logarithmic), y: .init("loss", scale: .logarithmic),
      marks: [.init("warm-up", at: 10)], caption: "It falls.")
    let lines = Self.lines(figure)
    #expect(lines[0] == "  It falls." && lines[1] == "  loss, logarithmic: 0.01 to 1")
    let grid = lines[2..<18].map { Array($0.dropFirst(3)) }
    #expect(grid[0].count == 57 && grid[0][0] == "o" && grid[0][56] == "*")
    #expect(grid[15].count == 57 && grid[15][56] == "o" && grid[15].filter { $0 == "o" }.count == 1)
    // A decade of each: halfway along both.
    #expect(grid.indices.contains { grid[$0].count == 29 && grid[$0][28] == "o" })
    #expect(lines[18] == "  +" + String(repeating: "-", count: 57))
    #expect(
      Array(lines[19...]) == [
        "  step, logarithmic: 1 to 100", "  o loss", "  * run", "  warm-up: 10",
      ])
  }

  @Test func `heights as shades`() {
    func figure(_ layer: Figure.Layer) -> Figure {
      Figure([layer], x: .init("x"), y: .init("y"), caption: "A bowl.")
    }
    let (x, z) = ([0.0, 1.0], [[0.0, 1.0], [1.0, 9.0]])
    for layer in [
      Figure.Layer.surface(name: "loss", x: x, y: x, z: z),
      .contour(name: "loss", x: x, y: x, z: z, levels: [0.5, 5]),
    ] {
      let lines = Self.lines(figure(layer))
      #expect(lines[2].hasSuffix("@") && lines.last == "  loss, ' ' 0 to '@' 9")
    }
    let band = Self.lines(
      figure(.band(name: "spread", x: [0, 1], lower: [0, 0], upper: [1, 2])))
    #expect(band[2].hasSuffix("o") && band[17].filter { $0 == "o" }.count == 2)
  }

  @Test func `nothing to draw, or one place, still prints`() {
    let empty = Figure([], x: .init("x"), y: .init("y"), caption: "None.")
    #expect(Self.lines(empty) == ["  None."])
    let one = Figure(
      [.points(name: "a", x: [2], y: [3])], x: .init("x"), y: .init("y"), caption: "One.")
    #expect(Self.lines(one).contains { $0.contains("o") && $0.hasPrefix("  |") })
    let hole = Figure(
      [.line(name: "a", x: [0, 1, 2], y: [0, .nan, 1])], x: .init("x"), y: .init("y"),
      caption: "A hole.")
    #expect(Self.lines(hole).filter { $0.hasPrefix("  |") && $0.contains("o") }.count == 2)
  }

  @Test func `arrays that do not fit, and what no logarithm has, are refused`() throws {
    let figure = Figure(
      [.line(name: "loss", x: [1, 2], y: [3, 4])], x: .init("x", scale: .logarithmic),
      y: .init("y"), caption: "")
    let text = try OrderedJSON.string(figure, indented: false)
    #expect(try JSONDecoder().decode(Figure.self, from: Data(text.utf8)) == figure)
    for (good, bad) in [(#""x":[1.0,2.0]"#, #""x":[1.0]"#), (#""x":[1.0,2.0]"#, #""x":[0,2.0]"#)] {
      let broken = text.replacingOccurrences(of: good, with: bad)
      #expect(broken != text)
      #expect(throws: DecodingError.self) {
        try JSONDecoder().decode(Figure.self, from: Data(broken.utf8))
      }
    }
  }
}
