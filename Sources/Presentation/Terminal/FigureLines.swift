import Foundation

/// Figures as lines of characters: places on an axis, bars, or a plot on a grid.
struct FigureLines {
  let figure: Figure
  let style: TerminalStyle

  var lines: [String] {
    // One axis, whose marks are labelled, needs no words.
    if case .rug(_, let values)? = figure.layers.first, figure.layers.count == 1 {
      return RugLines(
        values: values, axis: figure.x, marks: figure.marks.filter { $0.axis == .horizontal }
      ).lines(width: style.width)
    }
    let caption = style.wrap(figure.caption, indent: 2)
    if case .bars(_, let bars)? = figure.layers.first, figure.layers.count == 1 {
      return caption + lines(bars)
    }
    return caption + GridPlot(figure: figure, width: style.width).lines
  }

  /// A line per bar: its edges, its height where that is known, and the bar.
  private func lines(_ bars: [Figure.Bar]) -> [String] {
    let room = max(10, style.width - 40)
    let range =
      figure.y.range ?? .init(figure.upwards.min() ?? 0, figure.upwards.max() ?? 1)
    func height(_ value: Double) -> Double {
      switch figure.y.scale {
      case .linear: return value / max(range.upper, .leastNormalMagnitude)
      case .logarithmic:
        // What is there at all is seen.
        let share = 1 + log10(value / range.upper) / log10(range.upper / range.lower)
        return value > 0 ? max(1 / Double(room), share) : 0
      }
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
            count: max(0, min(room, Int((height(bar.height) * Double(room)).rounded(.up))))),
        ]
      }, sides: [.right, .right, .right, .left], indent: 2)
    return table.lines
  }
}
