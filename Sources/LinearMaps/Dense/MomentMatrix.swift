/// `A'A` of a tall matrix, summed block by block as if in twice the precision of a double.
///
/// Each product of two entries is taken with its rounding error, and the errors of the sums are kept
/// beside them, so that an entry is off by at most about `n 2^-104 sum |a_ki a_kj|` over `n` rows. Entries
/// must lie between -1 and 1, or the splitting may overflow; scale columns by powers of two.
///
/// Reference: Ogita, Rump and Oishi, "Accurate sum and dot product", SIAM J. Sci. Comput. 26 (2005),
/// algorithm 5.3; Dekker, "A floating-point technique for extending the available precision" (1971), for
/// products without a fused multiply-add.
package struct MomentMatrix: Sendable {
  /// Rows of a block.
  package static let blockRows = 256

  package let columns: Int
  /// Row-major; only the upper triangle is filled.
  private var entries: [DoubleDouble]
  private var high: [Double]
  private var low: [Double]

  package init(columns: Int) {
    self.columns = columns
    entries = [DoubleDouble](repeating: .zero, count: columns * columns)
    high = [Double](repeating: 0, count: columns * Self.blockRows)
    low = high
  }

  package subscript(row: Int, column: Int) -> DoubleDouble {
    entries[min(row, column) * columns + max(row, column)]
  }

  /// Adds `B'B` of a block of rows.
  ///
  /// - Parameters:
  ///   - block: column-major, `blockRows` numbers per column; rows that are not used hold zeros.
  ///   - sums: row-major upper triangle to which the same is added in plain doubles.
  package mutating func add(_ block: [Double], into sums: inout [Double]) {
    precondition(block.count == high.count, "\(block.count) numbers for \(high.count)")
    precondition(sums.count == entries.count, "\(sums.count) sums for \(entries.count)")
    for index in block.indices {
      let part = 134_217_729 * block[index]
      high[index] = part - (part - block[index])
      low[index] = block[index] - high[index]
    }
    for row in 0..<columns {
      for column in row..<columns {
        let entry = dot(block, row, column)
        entries[row * columns + column] += entry
        sums[row * columns + column] += entry.value
      }
    }
  }

  private func dot(_ block: [Double], _ row: Int, _ column: Int) -> DoubleDouble {
    let length = Self.blockRows * MemoryLayout<Double>.stride
    var sum = SIMD4<Double>.zero
    var rest = SIMD4<Double>.zero
    block.withUnsafeBytes { block in
      high.withUnsafeBytes { high in
        low.withUnsafeBytes { low in
          var (p, q) = (row * length, column * length)
          let end = p + length
          while p < end {
            let a = block.loadUnaligned(fromByteOffset: p, as: SIMD4<Double>.self)
            let b = block.loadUnaligned(fromByteOffset: q, as: SIMD4<Double>.self)
            let ah = high.loadUnaligned(fromByteOffset: p, as: SIMD4<Double>.self)
            let bh = high.loadUnaligned(fromByteOffset: q, as: SIMD4<Double>.self)
            let al = low.loadUnaligned(fromByteOffset: p, as: SIMD4<Double>.self)
            let bl = low.loadUnaligned(fromByteOffset: q, as: SIMD4<Double>.self)
            let product = a * b
            let error = ((ah * bh - product) + ah * bl + al * bh) + al * bl
            let next = sum + product
            let part = next - sum
            rest += ((sum - (next - part)) + (product - part)) + error
            sum = next
            p += 32
            q += 32
          }
        }
      }
    }
    return (0..<4).reduce(.zero) { $0 + (DoubleDouble(sum[$1]) + DoubleDouble(rest[$1])) }
  }
}
