import Diagnosis
import Foundation
import Presentation

/// The ideal rate of every direction on a logarithmic line: sharp directions left, flat ones right,
/// and under it where the rate in use and the stability limit fall.
struct RateAxis {
  struct Mark {
    let label: String
    let rate: Double
  }

  let idealRates: [Double]
  let marks: [Mark]

  /// Nil where fewer than two directions have an ideal rate.
  init?(directions: [EigenDirection], marks: [Mark]) {
    let rates = directions.compactMap(\.idealRate).filter { $0.isFinite && $0 > 0 }
    guard rates.count > 1, let low = rates.min(), let high = rates.max(), high / low > 1.05 else {
      return nil
    }
    idealRates = rates
    self.marks = marks.filter { $0.rate.isFinite && $0.rate > 0 }
  }

  /// The line and its labels, at most `width` wide.
  func lines(width: Int, indent: Int = 2) -> [String] {
    let all = idealRates + marks.map(\.rate)
    let (low, high) = (log(all.min() ?? 1), log(all.max() ?? 1))
    let length = max(20, width - indent - 2)
    func place(_ rate: Double) -> Int {
      Int((log(rate) - low) / (high - low) * Double(length - 1) + 0.5)
    }
    var counts = [Int](repeating: 0, count: length)
    for rate in idealRates { counts[place(rate)] += 1 }
    let line = counts.map { count in
      count == 0 ? "-" : count == 1 ? "o" : count < 10 ? "\(count)" : "#"
    }.joined()

    let margin = String(repeating: " ", count: indent)
    let left = Wording.number(idealRates.min() ?? 0)
    let right = Wording.number(idealRates.max() ?? 0)
    var ends = [Character](repeating: " ", count: length)
    let end = max(left.count + right.count + 1, place(idealRates.max() ?? 0) + 1)
    write(right, at: end - right.count, into: &ends)
    write(
      left, at: min(place(idealRates.min() ?? 0), end - right.count - left.count - 1), into: &ends)
    var lines = [margin + trimmed(ends), margin + line]
    for mark in marks.sorted(by: { $0.rate < $1.rate }) {
      var row = [Character](repeating: " ", count: length)
      let position = place(mark.rate)
      let label = "\(mark.label) \(Wording.number(mark.rate))"
      let fits = position + 2 + label.count <= length
      write(
        fits ? "^ \(label)" : "\(label) ^", at: fits ? position : position - label.count - 1,
        into: &row)
      lines.append(margin + trimmed(row))
    }
    return lines
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
