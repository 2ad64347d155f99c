import Foundation
import Testing

@testable import Diagnosis

/// Whether classes are separable, against answers that were proved in exact arithmetic.
@Suite struct SeparabilityTests {
  /// By `Scripts/separability-goldens.py 480`: C completely separable, Q separable in part, O overlapping.
  static let answers = """
    OCOCQQOCQCQCOCCCQQOCQCQQQCQCQCOCCCOCOCQCQCCCCCCCQCQCQCQCOCCOQCOCQQOCOCCOOCOCQQOC
    OCQQOCOCQCOCOCQQOCOCOCOCQCQCOCCCOCOCQCQCOQQCOCOCQCCCQCCCCQOCCCCCOCOCCQOCOCQCCQCC
    QCQCCCCCOQCCQQCCCCOCOCQCQOOCOCOCOCOQQQOCOCOQOCQCOQOQQCOQOCQCOQOQQCQQOCCCQQOCCCQC
    OCCCQOCCCCQOQCOCQOQQQCQQOCQCCCOCQCQQQCOCQCOCQCCCOCOCQCOQOCCQOQOCOQQQQCOCOCQCOCOC
    OCCOOCQCQQOCOCQOOCOCQCOCOCQOOCCCQQOCCCQQOCCCQQOCCCQCOCCCCCCQCCQCOCCCOCQCCCQCQCOC
    OQCCCCOCQCQCOOOCQCQCOCQCOOOCCCQOQCOCQOOCOCCOQCCCCCOCQCQCOCQCOQOCQCQCOCCCCCOCQCQQ
    """.filter { !$0.isWhitespace }

  /// The script's generator.
  struct Generator {
    var state: UInt64

    init(seed: Int) { state = UInt64(seed) * 2 + 1 }

    mutating func draw(_ count: Int) -> Int {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Int((state >> 33) % UInt64(count))
    }
  }

  struct Table {
    var rows: [[Double]]
    var labels: [Int]
    var classes: Int
  }

  /// The script's table of this seed, in integers.
  static func table(_ seed: Int) -> Table {
    var g = Generator(seed: seed)
    let kind = seed % 6
    let count = 6 + g.draw(24)
    let columns = 1 + g.draw(3)
    let classes = 2 + g.draw(3)
    let reach = kind == 3 ? 50 : 3
    let weights = (0..<classes).map { _ in (0...columns).map { _ in g.draw(7) - 3 } }
    var rows: [[Int]] = []
    var labels: [Int] = []
    for row in 0..<count {
      if kind == 4, row >= 4, g.draw(3) > 0 {
        rows.append(rows[g.draw(row)])
      } else {
        rows.append((0..<columns).map { _ in g.draw(2 * reach + 1) - reach })
      }
      let scores = weights.map { zip($0, rows[row] + [1]).reduce(0) { $0 + $1.0 * $1.1 } }
      let winners = scores.indices.filter { scores[$0] == scores.max() }
      var label = winners[g.draw(winners.count)]
      if kind == 0 {
        label = g.draw(classes)
      } else if kind == 2 || kind == 4, g.draw(6) == 0 {
        label = g.draw(classes)
      }
      if kind == 5, label == classes - 1, g.draw(4) > 0 { label = 0 }
      labels.append(label)
    }
    if seed % 5 == 0 {
      rows = rows.map { $0 + [$0[0] + (columns > 1 ? $0[1] : 0)] }
    }
    return Table(rows: rows.map { $0.map(Double.init) }, labels: labels, classes: classes)
  }

  /// Factors and offsets of columns; with an offset the factor is a power of two or ten that keeps every
  /// digit, since rounding would make another table.
  static let scales: [(factor: Double, offset: Double)] = [
    (1, 0), (1e8, 0), (1e-6, 0), (1, 1e8), (0x1p-20, 12345), (1e8, -1e6), (1e-12, 0), (1e150, 0),
    (0x1p-300, 7),
  ]

  private func separation(_ table: Table, scaled: Int) -> ClassSeparation {
    let features = table.rows.flatMap { row in
      row.enumerated().map { index, value in
        let scale = Self.scales[(scaled + (scaled == 0 ? 0 : 2 * index)) % Self.scales.count]
        return (value + scale.offset) * scale.factor
      }
    }
    return ClassSeparation(
      features: features, columns: table.rows[0].count, labels: table.labels,
      classes: table.classes)
  }

  static func expected(_ letter: Character) -> ClassSeparation {
    switch letter {
    case "C": .complete
    case "Q": .partial
    default: .overlapping
    }
  }

  @Test(arguments: 0..<9)
  func `every small table is judged as exact arithmetic judges it`(scaled: Int) {
    #expect(Self.answers.count == 480)
    var undecided = 0
    for (seed, letter) in Self.answers.enumerated() {
      let answer = separation(Self.table(seed), scaled: scaled)
      if answer == .undecided { undecided += 1 }
      #expect(answer == Self.expected(letter), "table \(seed), scales from \(scaled)")
    }
    #expect(undecided == 0)
  }
}
