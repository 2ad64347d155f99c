import LinearMaps
import Testing

/// The search for numbers that are not finite goes by blocks: every place of a block, and behind the last one.
@Suite struct NonFiniteSearchTests {
  @Test(arguments: [1, 7, 63, 64, 65, 130])
  func findsTheFirst(count: Int) {
    let largest = [Float](repeating: .greatestFiniteMagnitude, count: count)
    #expect(Float.firstNonFinite(count, largest) == nil)
    let wide = [Double](repeating: -.greatestFiniteMagnitude, count: count)
    #expect(Double.firstNonFinite(count, wide) == nil)
    for place in 0..<count {
      var (single, double) = (largest, wide)
      single[place] = place % 2 == 0 ? .nan : -.infinity
      double[place] = place % 2 == 0 ? .infinity : .nan
      #expect(Float.firstNonFinite(count, single) == place)
      #expect(Double.firstNonFinite(count, double) == place)
      single[count - 1] = .infinity
      #expect(Float.firstNonFinite(count, single) == place)
    }
  }
}
