import Testing

@testable import LinearMaps

@Suite struct MomentMatrixTests {
  /// Entries of 26 bits have exact squares and products, and sums of these below 2^53 units are exact: so
  /// that integers give the right moments, also where a plain sum of doubles of very different size does
  /// not.
  @Test func `sums of products are exact beyond a double`() {
    let rows = MomentMatrix.blockRows
    var generator = SeededGenerator(seed: 3)
    let columns = 3
    // Large numbers that cancel, and small ones that stay: 2^-2 +- in pairs, beside multiples of 2^-60.
    var entries = [[Double]](repeating: [], count: columns)
    for row in 0..<rows {
      entries[0].append(row % 2 == 0 ? 0.5 : -0.5)
      entries[1].append(0.75)
      entries[2].append(Double(Int.random(in: -1000...1000, using: &generator)) * 0x1p-60)
    }
    var moments = MomentMatrix(columns: columns)
    var plain = [Double](repeating: 0, count: columns * columns)
    moments.add(entries.flatMap { $0 }, into: &plain)
    moments.add(entries.flatMap { $0 }, into: &plain)
    #expect(moments[0, 0].value == Double(rows) * 0.5)
    #expect(moments[0, 1].value == 0 && moments[1, 0].value == 0)
    let squares = entries[2].reduce(0) { $0 + Int($1 * 0x1p60) * Int($1 * 0x1p60) }
    #expect(moments[2, 2].value == Double(2 * squares) * 0x1p-120)
    let alternating = entries[2].enumerated().reduce(0) {
      $0 + ($1.offset % 2 == 0 ? 1 : -1) * Int($1.element * 0x1p60)
    }
    #expect(moments[0, 2].value == Double(2 * alternating) * 0x1p-61)
    #expect(plain[1] == 0)
  }

  @Test func `the second half of a sum is kept`() {
    var block = [Double](repeating: 0, count: MomentMatrix.blockRows)
    var moments = MomentMatrix(columns: 1)
    var plain = [0.0]
    block[0] = 1
    block[1] = 0x1p-40
    moments.add(block, into: &plain)
    // 1 + 2^-80: a double holds the 1 alone.
    #expect(plain[0] == 1 && moments[0, 0].hi == 1 && (moments[0, 0] - .one).value == 0x1p-80)
  }
}
