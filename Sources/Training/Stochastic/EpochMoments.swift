import LinearMaps

/// Sums over drawn orders of the samples of what the second moments over many passes depend on, in groups
/// that tell the spread.
struct EpochMoments {
  static let groupCount = 16
  let map: EpochMap
  /// `w w'` of `w = (vec P, q)`, column-major, per group.
  private(set) var products: [[Double]]
  /// `w`.
  private(set) var firsts: [[Double]]
  /// `[P q]' H [P q]` in the middle of the pass.
  private(set) var middles: [[Double]]
  private(set) var drawn = 0
  /// Whether these are all the orders that there are, in the first group.
  private(set) var isWhole = false

  init(_ map: EpochMap) {
    self.map = map
    let (d, width) = (map.order, map.order + 1)
    products = .init(repeating: .init(repeating: 0, count: d * width * d * width), count: 16)
    firsts = .init(repeating: .init(repeating: 0, count: d * width), count: 16)
    middles = .init(repeating: .init(repeating: 0, count: width * width), count: 16)
  }

  /// Adds so many orders to each group, every second the reverse of the one before: what reversing turns
  /// around cancels, which is most of the first moment's spread.
  mutating func draw(_ pairs: Int, _ generator: inout SeededGenerator) {
    for group in 0..<Self.groupCount {
      var orders: [[Int]] = []
      for _ in 0..<pairs {
        let order = (0..<map.samples.count).shuffled(using: &generator)
        orders += [order, order.reversed()]
      }
      add(orders, to: group)
    }
    drawn += 2 * pairs * Self.groupCount
  }

  /// Takes every pass that there is, in place of draws; false where there are more than so many.
  mutating func takeAll(upTo most: Int) -> Bool {
    precondition(drawn == 0, "some orders are drawn already")
    guard let orders = map.allOrders(upTo: most) else { return false }
    for start in stride(from: 0, to: orders.count, by: 128) {
      add(Array(orders[start..<min(start + 128, orders.count)]), to: 0)
    }
    (drawn, isWhole) = (orders.count, true)
    return true
  }

  private mutating func add(_ orders: [[Int]], to group: Int) {
    let (k, d, width) = (map.samples.dimension, map.order, map.order + 1)
    let size = k * width
    let storage = UnsafeMutablePointer<Double>.allocate(capacity: 3 * size)
    defer { storage.deallocate() }
    let (errors, velocities) = (storage, storage + size)
    let count = orders.count
    var whole = [Double](repeating: 0, count: d * width * count)
    var halves = [Double](repeating: 0, count: width * k * count)
    let roots = map.samples.curvatures.map { $0.squareRoot() }
    for (column, order) in orders.enumerated() {
      map.run(order, errors, velocities, storage + 2 * size) {
        for a in 0..<k {
          for c in 0..<width {
            halves[(column * k + a) * width + c] = roots[a] * errors[a * width + c]
          }
        }
      }
      // The rows of errors, then of velocities; column by column.
      for c in 0..<width {
        for a in 0..<d {
          let line = a < k ? errors + a * width : velocities + (a - k) * width
          whole[(column * width + c) * d + a] = line[c]
        }
      }
    }
    Double.gemm(
      transposedA: false, transposedB: true, m: d * width, n: d * width, k: count, alpha: 1,
      whole, lda: d * width, whole, ldb: d * width, beta: 1, &products[group], ldc: d * width)
    Double.gemm(
      transposedA: false, transposedB: true, m: width, n: width, k: k * count, alpha: 1, halves,
      lda: width, halves, ldb: width, beta: 1, &middles[group], ldc: width)
    for column in 0..<count {
      for index in 0..<d * width { firsts[group][index] += whole[column * d * width + index] }
    }
  }

  /// Means over all orders, or over a group's.
  func means(group: Int? = nil) -> EpochMeans {
    let chosen = group.map { [$0] } ?? Array(0..<Self.groupCount)
    let count = isWhole ? Double(drawn) : Double(drawn / Self.groupCount * chosen.count)
    func mean(_ sums: [[Double]]) -> [Double] {
      var result = sums[chosen[0]]
      for other in chosen.dropFirst() {
        for index in result.indices { result[index] += sums[other][index] }
      }
      return result.map { $0 / count }
    }
    return EpochMeans(
      order: map.order, product: mean(products), first: mean(firsts), middle: mean(middles))
  }
}

/// What the moments of one pass are made of.
struct EpochMeans {
  let order: Int
  let product: [Double]
  let first: [Double]
  let middle: [Double]

  /// `E[P_ia P_lc]`, and with `a` or `c` equal to the order `q` in place of a column of `P`.
  private func moment(_ i: Int, _ a: Int, _ l: Int, _ c: Int) -> Double {
    product[(c * order + l) * order * (order + 1) + a * order + i]
  }

  /// `E[P] m + E[q]`.
  func image(mean m: [Double]) -> [Double] {
    (0..<order).map { i in
      (0..<order).reduce(first[order * order + i]) { $0 + first[$1 * order + i] * m[$1] }
    }
  }

  /// `E[(P e + q)(P e + q)']` of errors with these moments; the second is column-major.
  func image(_ moments: ErrorMoments) -> [Double] {
    let d = order
    var result = [Double](repeating: 0, count: d * d)
    for i in 0..<d {
      for l in 0...i {
        var sum = moment(i, d, l, d)
        for a in 0..<d {
          sum += (moment(i, a, l, d) + moment(i, d, l, a)) * moments.mean[a]
          for c in 0..<d { sum += moment(i, a, l, c) * moments.second[c * d + a] }
        }
        result[l * d + i] = sum
        result[i * d + l] = sum
      }
    }
    return result
  }

  /// `E[P S P']`.
  func linearImage(_ second: [Double]) -> [Double] {
    let d = order
    var result = [Double](repeating: 0, count: d * d)
    for i in 0..<d {
      for l in 0...i {
        var sum = 0.0
        for a in 0..<d {
          for c in 0..<d { sum += moment(i, a, l, c) * second[c * d + a] }
        }
        result[l * d + i] = sum
        result[i * d + l] = sum
      }
    }
    return result
  }

  /// The rows and columns of a lower triangle, row by row.
  var pairs: [(Int, Int)] { (0..<order).flatMap { i in (0...i).map { (i, $0) } } }

  /// `I - T` on symmetric matrices held as their lower triangles, column-major; `T S = E[P S P']`.
  var secondSystem: [Double] {
    let pairs = pairs
    var matrix = [Double](repeating: 0, count: pairs.count * pairs.count)
    for (row, (i, l)) in pairs.enumerated() {
      for (column, (a, c)) in pairs.enumerated() {
        let value =
          a == c ? moment(i, a, l, a) : moment(i, a, l, c) + moment(i, c, l, a)
        matrix[column * pairs.count + row] = (row == column ? 1 : 0) - value
      }
    }
    return matrix
  }

  /// `I - E[P]`, column-major.
  var firstSystem: [Double] {
    (0..<order * order).map { index in
      let (i, a) = (index % order, index / order)
      return (i == a ? 1 : 0) - first[a * order + i]
    }
  }

  /// What `E[(P e + q)(P e + q)']` has of the mean: `E[P m q'] + E[q m' P']`.
  func cross(mean m: [Double]) -> [Double] {
    let d = order
    return (0..<d * d).map { index in
      let (i, l) = (index % d, index / d)
      return (0..<d).reduce(0) { $0 + (moment(i, $1, l, d) + moment(i, d, l, $1)) * m[$1] }
    }
  }

  /// The mean loss gap in the middle of a pass.
  func middleGap(_ moments: ErrorMoments) -> Double {
    let d = order
    let width = d + 1
    var sum = middle[width * width - 1]
    for a in 0..<d {
      sum += 2 * middle[a * width + d] * moments.mean[a]
      for c in 0..<d { sum += middle[a * width + c] * moments.second[a * d + c] }
    }
    return sum / 2
  }
}
