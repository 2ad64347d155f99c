import Foundation

/// Places on one line, as of a logarithmic axis, and under it the marks: how many fall onto a character is
/// its digit.
struct RugLines {
  let values: [Double]
  let axis: Figure.Axis
  let marks: [Figure.Mark]

  /// The line and its labels, at most `width` wide; none without values.
  func lines(width: Int, indent: Int = 2) -> [String] {
    let values = self.values.filter { position($0).isFinite }
    let marks = self.marks.filter { position($0.value).isFinite }
    guard let smallest = values.min(), let greatest = values.max() else { return [] }
    let all = values + marks.map(\.value)
    let (low, high) = (position(all.min() ?? smallest), position(all.max() ?? greatest))
    let length = max(20, width - indent - 2)
    func place(_ value: Double) -> Int {
      let share = high > low ? (position(value) - low) / (high - low) : 0
      return share.isFinite ? Int(share * Double(length - 1) + 0.5) : 0
    }
    var counts = [Int](repeating: 0, count: length)
    for value in values { counts[place(value)] += 1 }
    let line = counts.map { count in
      count == 0 ? "-" : count == 1 ? "o" : count < 10 ? "\(count)" : "#"
    }.joined()

    let margin = String(repeating: " ", count: indent)
    let left = axis.format.text(smallest)
    let right = axis.format.text(greatest)
    var ends = [Character](repeating: " ", count: length)
    let end = max(left.count + right.count + 1, place(greatest) + 1)
    write(right, at: end - right.count, into: &ends)
    write(
      left, at: min(place(smallest), end - right.count - left.count - 1), into: &ends)
    var lines = [margin + trimmed(ends), margin + line]
    for mark in marks.sorted(by: { $0.value < $1.value }) {
      var row = [Character](repeating: " ", count: length)
      let position = place(mark.value)
      let label = "\(Printable.line(mark.label)) \(axis.format.text(mark.value))"
      let fits = position + 2 + label.count <= length
      write(
        fits ? "^ \(label)" : "\(label) ^", at: fits ? position : position - label.count - 1,
        into: &row)
      lines.append(margin + trimmed(row))
    }
    return lines
  }

  private func position(_ value: Double) -> Double {
    switch axis.scale {
    case .linear: value
    case .logarithmic: log(value)
    }
  }

  private func write(_ text: String, at position: Int, into row: inout [Character]) {
    let start = min(max(0, position), max(0, row.count - text.count))
    for (offset, character) in text.enumerated() where start + offset < row.count {
      row[start + offset] = character
    }
  }

  private func trimmed(_ row: [Character]) -> String {
    var text = String(row)
    while text.hasSuffix(" ") { text.removeLast() }
    return text
  }
}
