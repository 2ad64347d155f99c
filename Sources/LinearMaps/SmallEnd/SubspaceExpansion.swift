/// The wanted Ritz pairs of a subspace, and those among them that are still open.
struct LowestRitz<Scalar: LinearMapScalar> {
  let values: [Double]
  let vectors: [[Scalar]]
  let residuals: [[Scalar]]
  let open: [Int]
}

extension RitzSubspace {
  func lowest(_ count: Int, open: [Int]) -> LowestRitz<Scalar> {
    let held = min(count, self.count)
    return LowestRitz(
      values: values, vectors: (0..<held).map(vector), residuals: (0..<held).map(residual),
      open: open.isEmpty ? [0] : open)
  }
}

/// A way to enlarge a subspace towards the small end of the spectrum.
protocol SubspaceExpansion<Scalar> {
  associatedtype Scalar: LinearMapScalar
  /// New columns, from at most about `left` products.
  mutating func directions(_ ritz: LowestRitz<Scalar>, left: Int) throws -> [[Scalar]]
}

/// `p(A) v` for the open Ritz vectors, `p` damping what lies above the middle of the unwanted Ritz
/// values, one block product per degree.
///
/// Reference: Zhou and Saad, "A Chebyshev-Davidson algorithm for large symmetric eigenproblems"
/// (2007), section 3.
struct ChebyshevExpansion<Map: LinearMap>: SubspaceExpansion {
  typealias Scalar = Map.Scalar
  let map: Map
  let upperBound: Double
  let count: Int
  /// How far one filter damps: little, since the subspace accelerates what it returns.
  var reduction = 0.2
  var limit = 3000
  /// How near the damped interval comes to the wanted value: nearer when residuals stop falling.
  private var reach = 1.0
  private var lastResidual = Double.infinity

  init(map: Map, upperBound: Double, count: Int) {
    self.map = map
    self.upperBound = upperBound
    self.count = count
  }

  mutating func directions(_ ritz: LowestRitz<Scalar>, left: Int) throws -> [[Scalar]] {
    let n = map.dimension
    let residual = ritz.open.reduce(0.0) { $0 + Scalar.nrm2(n, ritz.residuals[$1]) }
    reach = residual > 0.95 * lastResidual ? 0.5 * reach : min(1, 2 * reach)
    lastResidual = residual
    let unwanted = ritz.values.dropFirst(count)
    let wanted = ritz.values[ritz.open[0]]
    let span = upperBound - ritz.values[0]
    let middle = (unwanted.startIndex + unwanted.endIndex - 1) / 2
    let guess = unwanted.isEmpty ? wanted + 0.1 * span : unwanted[middle]
    let edge = min(
      max(wanted + reach * (guess - wanted), wanted + 1e-12 * span), upperBound - 0.01 * span)
    let block = ritz.open.prefix(max(1, left / 3))
    let filter = ChebyshevFilter(
      wanted: ritz.values[0], damped: edge...upperBound, reduction: reduction,
      limit: min(limit, max(2, left / block.count - 1)))
    let y = try filter.apply(map, block.flatMap { ritz.vectors[$0] })
    return (0..<block.count).map { Array(y[$0 * n..<($0 + 1) * n]) }
  }
}
