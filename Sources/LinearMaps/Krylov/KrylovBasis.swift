/// `A V = V H + V_next C`: an orthonormal basis grown block by block, in fixed memory if wanted.
///
/// `V` holds the columns that had their product, `V_next` the block that comes next. `H = V'AV` is
/// block tridiagonal; a thick restart replaces `V` by some of its Ritz vectors, which makes `H`
/// their diagonal of Ritz values, bordered by their couplings `C S` to `V_next`. Directions in
/// which a block stops growing are replaced by random ones, so that the basis goes on past
/// invariant subspaces; a block wider than `blockColumns` shrinks instead.
///
/// Reference: Golub and Underwood, "The block Lanczos method for computing eigenvalues" (1977); Wu
/// and Simon, "Thick-restart Lanczos method for large symmetric eigenvalue problems" (2000).
final class KrylovBasis<Scalar: LinearMapScalar> {
  let dimension: Int
  /// The width at which blocks stay.
  let blockColumns: Int
  /// Columns kept at most, `V_next` and what its product makes included.
  let capacity: Int
  /// Every step since the first, those before restarts included.
  private(set) var chain = RecurrenceChain()
  /// The columns of `V`.
  private(set) var count = 0
  /// The columns of `V_next`.
  private(set) var nextWidth: Int
  /// Products spent; every column costs one.
  private(set) var products = 0
  private(set) var restarts = 0
  /// Columns of the first block that were given, and those drawn at random orthogonal to them.
  let givenColumns: Int
  let randomColumns: Int
  /// The largest coefficient that differs from what symmetry asks: rounding of the products, or a
  /// map that is not symmetric.
  private(set) var asymmetry = 0.0
  /// Steps that began in an entirely random block past an invariant subspace, with the dimension of
  /// its complement.
  private(set) var freshStarts: [(step: Int, complement: Int)] = []
  /// A cheap estimate of `|A|`, never above it by more than a small factor.
  private(set) var scale = 0.0
  /// The outermost Ritz values that any basis showed.
  private(set) var seen: (smallest: Double, largest: Double) = (.infinity, -.infinity)

  private let basis: BasisColumns<Scalar>
  private var largestBreakdown = 0.0
  private var droppedSquares = 0.0
  /// Where random directions come from; nil leaves a block that stopped growing to `beginAnew`.
  private var generator: SeededGenerator?
  private var cycleStart = 0
  private var nextPoles: [Double] = []
  private var nextPoleCoupling: [Double] = []

  var isComplete: Bool { count == dimension }
  /// Whether the last step found `V` invariant.
  var isInvariant: Bool { isComplete || freshStarts.last?.step == chain.steps.count }
  /// The level at which a new vector is nothing but rounding.
  var breakdownLevel: Double { 16 * Double(Scalar.ulpOfOne) * scale }
  /// How far the map is from one that this basis describes exactly, for all that was dropped.
  var dropped: Double { largestBreakdown + droppedSquares.squareRoot() }
  /// Whether the next step needs room that the capacity denies.
  var isFull: Bool { count + 2 * nextWidth > capacity && !isComplete }

  /// Begins with the span of `starts` and `randomColumns` random directions orthogonal to it.
  ///
  /// Throws `zeroStart` when nothing spans, and `nonFiniteVector`.
  init(
    dimension: Int, starts: [[Scalar]], randomColumns: Int, blockColumns: Int, capacity: Int,
    generator: SeededGenerator
  ) throws {
    self.dimension = dimension
    self.blockColumns = min(blockColumns, dimension)
    let widest = min(dimension, max(starts.count + randomColumns, self.blockColumns))
    self.capacity = min(max(capacity, 4 * widest), dimension + widest)
    basis = BasisColumns(
      dimension: dimension, limit: self.capacity, blockColumns: self.blockColumns)
    var width = 0
    for start in starts where width < dimension {
      guard try basis.setDirection(width, of: start) else { continue }
      let norm = basis.orthogonalize(
        width..<width + 1, against: width, initialNorms: [1]
      ).norms[0]
      if norm > 64 * Double(Scalar.ulpOfOne) {
        basis.normalize(width)
        width += 1
      }
    }
    if width == 0 && !starts.isEmpty { throw LinearMapError.zeroStart }
    givenColumns = width
    nextWidth = min(dimension, max(width + randomColumns, self.blockColumns))
    self.randomColumns = nextWidth - width
    var generator = generator
    while width < nextWidth {
      basis.randomize(width, using: &generator)
      width += 1
    }
    self.generator = generator
  }

  /// Begins with one direction and grows by one column per step, without restarts in place; past an
  /// invariant subspace it goes on when `beginAnew` says so.
  ///
  /// Throws `zeroStart` and `nonFiniteVector`.
  init(start: [Scalar]) throws {
    dimension = start.count
    (blockColumns, capacity) = (1, dimension + 1)
    basis = BasisColumns(dimension: dimension, limit: capacity)
    guard try basis.setDirection(0, of: start) else { throw LinearMapError.zeroStart }
    (givenColumns, randomColumns, nextWidth) = (1, 0, 1)
    generator = nil
  }

  /// One step: the products of `V_next`, which joins `V`, and the block after it.
  ///
  /// Columns in excess of `blockColumns` are dropped once no more than `dropTolerance`, relative to
  /// the map, is left of them.
  /// Throws what the map throws, `nonFiniteProduct` and `tooLarge`.
  func extend<Map: LinearMap<Scalar>>(by map: Map, dropTolerance: Double) throws {
    precondition(map.dimension == dimension, "the map changed its dimension")
    precondition(!isFull && !isComplete, "a full basis is restarted before it grows")
    let (m, w) = (count, nextWidth)
    let norms = try multiply(by: map)
    for norm in norms { try Scalar.requireModest(norm) }
    // The diagonal block is taken first and in double, where float products would round.
    var a = [Double](repeating: 0, count: w * w)
    for j in 0..<w {
      let target = basis.column(m + w + j)
      for i in 0..<w {
        let v = basis.column(m + i)
        a[j * w + i] = Scalar.dot(dimension, v, target)
        Scalar.axpy(dimension, Scalar(-a[j * w + i]), v, target)
      }
    }
    let (coupled, couplings) = expectedCouplings()
    // So is what symmetry foretells, unless it is of as many columns as a restart has kept: what is left is
    // orthogonal to all others but for rounding, and one pass over them is enough.
    let isForetold = coupled.count <= 2 * w
    if isForetold {
      for j in 0..<w {
        for row in coupled {
          Scalar.axpy(
            dimension, Scalar(-couplings[(row - coupled.lowerBound) * w + j]), basis.column(row),
            basis.column(m + w + j))
        }
      }
    }
    var (sums, left) = basis.orthogonalize(
      m + w..<m + 2 * w, against: m + w,
      initialNorms: isForetold ? (0..<w).map { basis.norm(m + w + $0) } : norms,
      areNearlyOrthogonal: isForetold)
    for j in 0..<w {
      for i in 0..<w { a[j * w + i] += sums[j * (m + w) + m + i] }
      guard isForetold else { continue }
      for row in coupled {
        sums[j * (m + w) + row] += Double(Scalar(couplings[(row - coupled.lowerBound) * w + j]))
      }
    }
    for j in 0..<w {
      var rowSum = left[j]
      for row in 0..<m {
        let expected =
          coupled.contains(row) ? couplings[(row - coupled.lowerBound) * w + j] : 0
        asymmetry = max(asymmetry, abs(sums[j * (m + w) + row] - expected))
        rowSum += abs(expected)
      }
      for i in 0..<w {
        rowSum += abs(a[j * w + i])
        guard i < j else { continue }
        asymmetry = max(asymmetry, abs(a[j * w + i] - a[i * w + j]))
        let mean = 0.5 * a[j * w + i] + 0.5 * a[i * w + j]
        (a[j * w + i], a[i * w + j]) = (mean, mean)
      }
      scale = max(scale, rowSum)
    }
    let (coupling, dropped) = orthonormalizeNext(m + w, columns: w, left, dropTolerance)
    chain.append(
      RecurrenceChain.Step(
        width: w, nextWidth: nextWidth, diagonal: a, coupling: coupling, dropped: dropped,
        poles: nextPoles, poleCoupling: nextPoleCoupling))
    (nextPoles, nextPoleCoupling) = ([], [])
    count += w
    products += w
    if dropped.count == nextWidth && !isComplete {
      freshStarts.append((chain.steps.count, dimension - count))
    }
  }

  /// Random directions orthogonal to `V` for a next block of which nothing was left.
  func beginAnew(using generator: inout SeededGenerator) {
    for column in count..<count + nextWidth { basis.randomize(column, using: &generator) }
  }

  private func multiply<Map: LinearMap<Scalar>>(by map: Map) throws -> [Double] {
    let (m, w) = (count, nextWidth)
    // Both sides of a product must lie in one piece.
    for source in basis.pieces(m..<m + w) {
      for target in basis.pieces(source.lowerBound + w..<source.upperBound + w) {
        let x = basis.column(target.lowerBound - w)
        let y = basis.column(target.lowerBound)
        if target.count == 1 {
          try map.apply(x, into: y)
        } else {
          try map.apply(columns: target.count, x, into: y)
        }
      }
    }
    return try (0..<w).map { j in
      if let index = Scalar.firstNonFinite(dimension, basis.column(m + w + j)) {
        throw LinearMapError.nonFiniteProduct(application: products + j + 1, index: index)
      }
      return basis.norm(m + w + j)
    }
  }

  /// `V'A V_next` from the products done, which symmetry asks for: the rows of `V` that have it, and
  /// `nextWidth` entries for each.
  private func expectedCouplings() -> (rows: Range<Int>, entries: [Double]) {
    if cycleStart == chain.steps.count { return (0..<nextPoles.count, nextPoleCoupling) }
    let last = chain.steps[chain.steps.count - 1]
    return (count - last.width..<count, last.coupling)
  }

  /// Factors the remainders, columns from `first` on, into `V_next B`.
  ///
  /// Returns `B` and where in it a coefficient was dropped that led to what is now random.
  private func orthonormalizeNext(
    _ first: Int, columns w: Int, _ norms: [Double], _ dropTolerance: Double
  ) -> (coupling: [Double], dropped: [Int]) {
    let room = dimension - first
    var rows: [[Double]] = []
    var lost: [Int] = []
    for j in 0..<w {
      let accepted = rows.count
      var norm = norms[j]
      var coefficients = [Double](repeating: 0, count: accepted)
      if accepted > 0 {
        for _ in 0..<2 {
          for i in 0..<accepted {
            let (q, x) = (basis.column(first + i), basis.column(first + j))
            let c = Scalar.dot(dimension, q, x)
            Scalar.axpy(dimension, Scalar(-c), q, x)
            coefficients[i] += c
          }
        }
        norm = basis.norm(first + j)
      }
      basis.copy(first + j, to: first + accepted)
      // What cancels against its own block has lost its orthogonality to the others.
      if norm < 0.5 * norms[j] && norm > breakdownLevel && accepted < room {
        let again = basis.orthogonalize(
          first + accepted..<first + accepted + 1, against: first + accepted, initialNorms: [norm])
        for i in 0..<accepted { coefficients[i] += again.coefficients[first + i] }
        norm = again.norms[0]
      }
      for i in 0..<accepted { rows[i][j] = coefficients[i] }
      let excess = w - lost.count > blockColumns ? dropTolerance * scale : 0
      if norm <= max(breakdownLevel, excess) || accepted == room {
        if norm <= breakdownLevel {
          largestBreakdown = max(largestBreakdown, norm)
        } else {
          droppedSquares += norm * norm
        }
        lost.append(j)
      } else {
        basis.normalize(first + accepted)
        var row = [Double](repeating: 0, count: w)
        row[j] = norm
        rows.append(row)
      }
    }
    nextWidth = min(max(rows.count, min(blockColumns, w)), room)
    var dropped: [Int] = []
    for column in rows.count..<max(nextWidth, rows.count) {
      if var random = generator {
        basis.randomize(first + column, using: &random)
        generator = random
      }
      dropped.append(lost[dropped.count] * nextWidth + column)
    }
    let found = rows.count
    let coupling = (0..<w * nextWidth).map { index -> Double in
      let (row, column) = (index % nextWidth, index / nextWidth)
      return row < found ? rows[row][column] : 0
    }
    return (coupling, dropped)
  }

  /// `H = S diag(values) S'` and the residuals of the Ritz pairs.
  func ritzSystem() throws -> RitzSystem {
    let steps = chain.steps[cycleStart...]
    let m = count
    let kept = steps.first!.poles.count
    let values: [Double]
    let vectors: [Double]
    if kept == 0 && steps.allSatisfy({ $0.width == 1 }) {
      let system = try TridiagonalEigensystem(
        diagonal: steps.map { $0.diagonal[0] },
        offDiagonal: steps.dropLast().map { $0.coupling[0] },
        vectors: .all)
      (values, vectors) = (system.values, system.vectors)
    } else {
      var h = [Double](repeating: 0, count: m * m)
      for (i, pole) in steps.first!.poles.enumerated() { h[i * m + i] = pole }
      var at = kept
      for step in steps {
        let w = step.width
        for (index, value) in step.poleCoupling.enumerated() {
          h[index / w * m + at + index % w] = value
        }
        for j in 0..<w {
          for i in 0..<w { h[(at + j) * m + at + i] = step.diagonal[j * w + i] }
          guard at + w < m else { continue }
          for i in 0..<step.nextWidth {
            h[(at + j) * m + at + w + i] = step.coupling[j * step.nextWidth + i]
          }
        }
        at += w
      }
      let system = try SymmetricEigensystem(columnMajor: h, dimension: m)
      (values, vectors) = (system.values, system.vectors)
    }
    seen = (min(seen.smallest, values[0]), max(seen.largest, values[m - 1]))
    let last = steps.last!
    return RitzSystem(
      values: values, vectors: vectors, lastWidth: last.width, nextWidth: nextWidth,
      coupling: last.coupling)
  }

  /// Keeps these Ritz vectors of `system` (the current one) as the whole of `V`.
  func restart(keeping indices: [Int], of system: RitzSystem) {
    let m = count
    basis.rotate(
      by: indices.flatMap { system.vectors[$0 * m..<($0 + 1) * m] }, rows: m,
      columns: indices.count)
    for j in 0..<nextWidth { basis.copy(m + j, to: indices.count + j) }
    nextPoles = indices.map { system.values[$0] }
    nextPoleCoupling = indices.flatMap { system.couplings($0) }
    cycleStart = chain.steps.count
    count = indices.count
    restarts += 1
  }

  /// `V s`, of unit norm where `normalized`.
  func combination(_ coefficients: [Double], normalized: Bool) -> [Scalar] {
    precondition(coefficients.count == count, "one coefficient per basis vector")
    return basis.combination(coefficients, normalized: normalized)
  }

  /// A column of `V` or `V_next`.
  func column(_ index: Int) -> [Scalar] {
    precondition(index < count + nextWidth, "column \(index) does not exist")
    return Array(UnsafeBufferPointer(start: basis.column(index), count: dimension))
  }
}
