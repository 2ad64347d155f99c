import Foundation

/// Figures as lines of characters: places on an axis, bars, or a plot on a grid.
struct FigureLines {
  let figure: Figure
  let style: TerminalStyle
  /// A plot is no wider than can be seen, however long the lines of text may be.
  private var width: Int { min(style.width, 200) }

  var lines: [String] {
    // One axis, whose marks are labelled, needs no words.
    if case .rug(_, let values)? = figure.layers.first, figure.layers.count == 1 {
      return RugLines(
        values: values, axis: figure.x, marks: figure.marks.filter { $0.axis == .horizontal }
      ).lines(width: width)
    }
    let caption = style.wrap(figure.caption, indent: 2)
    if case .bars(_, let bars)? = figure.layers.first, figure.layers.count == 1 {
      return caption + lines(bars)
    }
    return caption + GridPlot(figure: figure, width: width).lines
  }

  /// A line per bar: its edges, its height where that is known, and the bar.
  private func lines(_ bars: [Figure.Bar]) -> [String] {
    let room = max(10, width - 40)
    let range =
      figure.y.range ?? .init(figure.upwards.min() ?? 0, figure.upwards.max() ?? 1)
    func share(_ value: Double) -> Double {
      switch figure.y.scale {
      case .linear: return value / max(range.upper, .leastNormalMagnitude)
      case .logarithmic:
        guard value > 0 else { return 0 }
        guard range.upper > range.lower else { return 1 }
        // What is there at all is seen.
        return max(
          1 / Double(room), 1 + log10(value / range.upper) / log10(range.upper / range.lower))
      }
    }
    func height(_ value: Double) -> Int {
      let share = share(value)
      return share > 0 ? Int((min(share, 1) * Double(room)).rounded(.up)) : 0
    }
    let table = TextTable(
      columns: ["", "", "", ""],
      rows: bars.map { bar in
        let known = bar.interval.flatMap { bar.height > 0 && $0.upper > 0 ? $0 : nil }
        return [
          figure.x.format.text(bar.left), figure.x.format.text(bar.right),
          known.map { figure.y.format.text($0.lower, to: $0.upper) } ?? "",
          String(
            repeating: "#",
            count: height(bar.height)),
        ]
      }, sides: [.right, .right, .right, .left], indent: 2)
    return table.lines
  }
}
