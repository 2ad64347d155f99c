import Foundation

/// A figure on a grid of characters: lines and points, bands under them, and heights as shades.
struct GridPlot {
  let figure: Figure
  let width: Int
  private let height = 16

  private static let symbols: [Character] = ["o", "*", "+", "x", "#", "%", "@", "&"]
  private static let shades: [Character] = [" ", ".", ":", "-", "=", "+", "*", "#", "%", "@"]

  /// The plot, the ends of its axes beside it, and what each character stands for.
  var lines: [String] {
    guard let x = ends(figure.across, figure.x), let y = ends(figure.upwards, figure.y) else {
      return []
    }
    let length = max(20, width - 4)
    var grid = [[Character]](
      repeating: [Character](repeating: " ", count: length), count: height)
    func column(_ value: Double) -> Int? { place(value, figure.x, x, length) }
    func row(_ value: Double) -> Int? { place(value, figure.y, y, height).map { height - 1 - $0 } }
    var legend: [String] = []
    for (index, layer) in figure.layers.enumerated() {
      let symbol = Self.symbols[index % Self.symbols.count]
      func dot(_ at: Double, _ value: Double, _ symbol: Character) {
        if let column = column(at), let row = row(value) { grid[row][column] = symbol }
      }
      var key = "\(symbol) \(layer.name)"
      switch layer {
      case .line(_, let xs, let ys), .points(_, let xs, let ys):
        for (at, value) in zip(xs, ys) { dot(at, value, symbol) }
      case .band(_, let xs, let lower, let upper):
        for (at, (low, high)) in zip(xs, zip(lower, upper)) {
          dot(at, low, symbol)
          dot(at, high, symbol)
        }
      case .bars(_, let bars):
        for bar in bars where bar.height > 0 { dot((bar.left + bar.right) / 2, bar.height, symbol) }
      case .rug(_, let values):
        for value in values { if let column = column(value) { grid[height - 1][column] = symbol } }
      case .surface(_, let xs, let ys, let zs):
        let shade = shading(zs.joined().filter(\.isFinite), levels: [])
        for (value, row) in zip(ys, zs) {
          for (at, z) in zip(xs, row) where z.isFinite { dot(at, value, shade.of(z)) }
        }
        key = "\(layer.name), \(shade.words)"
      case .contour(_, let xs, let ys, let zs, let levels):
        let shade = shading(zs.joined().filter(\.isFinite), levels: levels)
        for (value, row) in zip(ys, zs) {
          for (at, z) in zip(xs, row) where z.isFinite { dot(at, value, shade.of(z)) }
        }
        key = "\(layer.name), \(shade.words)"
      }
      legend.append(key)
    }
    for mark in figure.marks {
      let text = mark.axis == .horizontal ? figure.x.format : figure.y.format
      legend.append("\(mark.label): \(text.text(mark.value))")
    }
    let (low, high) = (figure.y.format.text(y.low), figure.y.format.text(y.high))
    let span = "\(figure.x.format.text(x.low)) to \(figure.x.format.text(x.high))"
    return ["  \(titled(figure.y)): \(low) to \(high)"].map(Printable.line)
      + grid.map { "  |" + String($0).trimmingTrailingSpaces }
      + ["  +" + String(repeating: "-", count: length)]
      + ["\(titled(figure.x)): \(span)"].map { "  " + Printable.line($0) }
      + legend.map { "  " + Printable.line($0) }
  }

  private func titled(_ axis: Figure.Axis) -> String {
    axis.label + (axis.unit.map { " (\($0))" } ?? "")
      + (axis.scale == .logarithmic ? ", logarithmic" : "")
  }

  /// Nil where nothing finite is drawn.
  private func ends(_ values: [Double], _ axis: Figure.Axis) -> (low: Double, high: Double)? {
    let finite = values.filter(\.isFinite)
    guard let low = axis.range?.lower ?? finite.min(), let high = axis.range?.upper ?? finite.max()
    else { return nil }
    return (low, high)
  }

  private func place(
    _ value: Double, _ axis: Figure.Axis, _ ends: (low: Double, high: Double), _ count: Int
  ) -> Int? {
    let share: Double =
      switch axis.scale {
      case .linear: (value - ends.low) / (ends.high - ends.low)
      case .logarithmic: log(value / ends.low) / log(ends.high / ends.low)
      }
    // All in one place stands in the middle.
    guard ends.high > ends.low else { return value == ends.low ? count / 2 : nil }
    guard share >= 0, share <= 1, share.isFinite else { return nil }
    return Int(share * Double(count - 1) + 0.5)
  }

  private struct Shading {
    let low: Double
    let high: Double
    let levels: [Double]

    /// The darker, the higher; between two levels all alike.
    func of(_ value: Double) -> Character {
      let shades = GridPlot.shades
      let share =
        levels.isEmpty
        ? (high > low ? (value - low) / (high - low) : 0)
        : Double(levels.count { $0 <= value }) / Double(levels.count)
      guard share.isFinite else { return shades[shades.count / 2] }
      return shades[min(shades.count - 1, Int(share * Double(shades.count - 1) + 0.5))]
    }

    var words: String {
      "'\(GridPlot.shades.first!)' \(Wording.number(low)) to '\(GridPlot.shades.last!)' "
        + Wording.number(high)
    }
  }

  private func shading(_ values: [Double], levels: [Double]) -> Shading {
    Shading(low: values.min() ?? 0, high: values.max() ?? 0, levels: levels)
  }
}

extension String {
  fileprivate var trimmingTrailingSpaces: String {
    var text = self
    while text.hasSuffix(" ") { text.removeLast() }
    return text
  }
}
