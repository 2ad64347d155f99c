/// `E' A E`: the principal submatrix of `A` on some coordinates, by embedding a short vector with zeros,
/// multiplying, and taking the coordinates out of the product.
///
/// Costs a whole product of `A` each time.
public struct RestrictedMap<Base: LinearMap>: LinearMap {
  public let base: Base
  /// The coordinates kept, ascending and disjoint; the submatrix has them in this order.
  public let coordinates: [Range<Int>]
  public let dimension: Int

  public init(_ base: Base, to coordinates: [Range<Int>]) {
    requireDisjoint(coordinates, within: base.dimension)
    self.base = base
    self.coordinates = coordinates
    dimension = coordinates.reduce(0) { $0 + $1.count }
    precondition(dimension >= 1, "a restriction keeps at least one coordinate")
  }

  public func apply(
    _ x: UnsafePointer<Base.Scalar>, into y: UnsafeMutablePointer<Base.Scalar>
  ) throws {
    try apply(columns: 1, x, into: y)
  }

  public func apply(
    columns: Int, _ x: UnsafePointer<Base.Scalar>, into y: UnsafeMutablePointer<Base.Scalar>
  ) throws {
    let n = base.dimension
    var long = [Base.Scalar](repeating: 0, count: n * columns)
    var product = long
    for column in 0..<columns {
      scatter(x + column * dimension, coordinates) { long[column * n + $0] = $1 }
    }
    try product.withUnsafeMutableBufferPointer {
      try base.apply(columns: columns, long, into: $0.baseAddress!)
    }
    for column in 0..<columns {
      gather(coordinates, into: y + column * dimension) { product[column * n + $0] }
    }
  }
}

/// `sum_b E_b A_b E_b'`: a map per group of coordinates and zero between the groups.
public struct BlockDiagonalMap<Block: LinearMap>: LinearMap {
  public let dimension: Int
  /// The coordinates of each block, ascending and disjoint, and the map on them.
  public let blocks: [(coordinates: [Range<Int>], map: Block)]

  /// - Precondition: each map is as large as its coordinates; no two blocks share a coordinate.
  public init(dimension: Int, blocks: [(coordinates: [Range<Int>], map: Block)]) {
    for block in blocks {
      let count = block.coordinates.reduce(0) { $0 + $1.count }
      precondition(
        count == block.map.dimension,
        "a block of \(count) coordinates meets a map of dimension \(block.map.dimension)")
      requireDisjoint(block.coordinates, within: dimension)
    }
    requireDisjoint(
      blocks.flatMap(\.coordinates).sorted { $0.lowerBound < $1.lowerBound }, within: dimension)
    self.dimension = dimension
    self.blocks = blocks
  }

  public func apply(
    _ x: UnsafePointer<Block.Scalar>, into y: UnsafeMutablePointer<Block.Scalar>
  ) throws {
    try apply(columns: 1, x, into: y)
  }

  public func apply(
    columns: Int, _ x: UnsafePointer<Block.Scalar>, into y: UnsafeMutablePointer<Block.Scalar>
  ) throws {
    y.update(repeating: 0, count: dimension * columns)
    for (coordinates, map) in blocks {
      let size = map.dimension
      var part = [Block.Scalar](repeating: 0, count: size * columns)
      var product = part
      part.withUnsafeMutableBufferPointer { part in
        for column in 0..<columns {
          gather(coordinates, into: part.baseAddress! + column * size) {
            x[column * dimension + $0]
          }
        }
      }
      try product.withUnsafeMutableBufferPointer { product in
        try map.apply(columns: columns, part, into: product.baseAddress!)
        for column in 0..<columns {
          scatter(product.baseAddress! + column * size, coordinates) {
            y[column * dimension + $0] = $1
          }
        }
      }
    }
  }
}

extension BlockDiagonalMap {
  /// The block diagonal of one map, each block by embedding: as many products of the map as blocks.
  public init<Base>(_ base: Base, blocks: [[Range<Int>]]) where Block == RestrictedMap<Base> {
    self.init(
      dimension: base.dimension, blocks: blocks.map { ($0, RestrictedMap(base, to: $0)) })
  }
}

/// `y = sum_i w_i A_i x`: for example the mean over groups of samples, or over all but one of them.
public struct WeightedSumMap<Term: LinearMap>: LinearMap {
  public let terms: [Term]
  public let weights: [Double]
  public var dimension: Int { terms[0].dimension }

  /// - Precondition: at least one map, all of one dimension, and a weight for each.
  public init(_ terms: [Term], weights: [Double]) {
    precondition(
      !terms.isEmpty && terms.count == weights.count,
      "\(weights.count) weights for \(terms.count) maps")
    precondition(
      terms.allSatisfy { $0.dimension == terms[0].dimension }, "the maps differ in dimension")
    self.terms = terms
    self.weights = weights
  }

  public func apply(
    _ x: UnsafePointer<Term.Scalar>, into y: UnsafeMutablePointer<Term.Scalar>
  ) throws {
    try apply(columns: 1, x, into: y)
  }

  public func apply(
    columns: Int, _ x: UnsafePointer<Term.Scalar>, into y: UnsafeMutablePointer<Term.Scalar>
  ) throws {
    let count = dimension * columns
    var product = [Term.Scalar](repeating: 0, count: count)
    y.update(repeating: 0, count: count)
    for (term, weight) in zip(terms, weights) where weight != 0 {
      try product.withUnsafeMutableBufferPointer {
        try term.apply(columns: columns, x, into: $0.baseAddress!)
      }
      Term.Scalar.axpy(count, Term.Scalar(weight), product, y)
    }
  }
}

private func scatter<Scalar>(
  _ short: UnsafePointer<Scalar>, _ coordinates: [Range<Int>], _ store: (Int, Scalar) -> Void
) {
  var next = 0
  for range in coordinates {
    for index in range {
      store(index, short[next])
      next += 1
    }
  }
}

private func gather<Scalar>(
  _ coordinates: [Range<Int>], into short: UnsafeMutablePointer<Scalar>, _ load: (Int) -> Scalar
) {
  var next = 0
  for range in coordinates {
    for index in range {
      short[next] = load(index)
      next += 1
    }
  }
}

private func requireDisjoint(_ coordinates: [Range<Int>], within dimension: Int) {
  precondition(
    coordinates.allSatisfy { $0.lowerBound >= 0 && $0.upperBound <= dimension }
      && zip(coordinates, coordinates.dropFirst()).allSatisfy { $0.upperBound <= $1.lowerBound },
    "the coordinates \(coordinates) are not ascending and disjoint within 0..<\(dimension)")
}
