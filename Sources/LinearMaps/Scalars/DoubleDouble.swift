import Foundation

/// An unevaluated sum `hi + lo` of two doubles, about 32 decimal digits.
///
/// For quantities that a double cannot hold apart from their rounding, as the small singular values of a
/// matrix of large numbers. Exponents are those of a double: nothing guards against overflow.
/// Reference: Dekker, "A floating-point technique for extending the available precision" (1971); Joldes,
/// Muller and Popescu, "Tight and rigorous error bounds for basic building blocks of double-word
/// arithmetic" (2017), algorithms 6, 12 and 17.
package struct DoubleDouble: Sendable, Equatable {
  package var hi: Double
  package var lo: Double

  @inline(__always)
  package init(_ hi: Double, _ lo: Double = 0) {
    self.hi = hi
    self.lo = lo
  }

  package static let zero = DoubleDouble(0)
  package static let one = DoubleDouble(1)
  /// A bound on the relative rounding of one operation, `2^-102`.
  package static let epsilon = 0x1p-102

  package var value: Double { hi + lo }
  package var magnitude: DoubleDouble { hi < 0 || (hi == 0 && lo < 0) ? -self : self }

  /// `a + b` exactly, for `|a| >= |b|`.
  @inline(__always)
  private static func renormalised(_ a: Double, _ b: Double) -> DoubleDouble {
    let sum = a + b
    return DoubleDouble(sum, b - (sum - a))
  }

  /// `a + b` exactly.
  @inline(__always)
  private static func sum(_ a: Double, _ b: Double) -> DoubleDouble {
    let sum = a + b
    let part = sum - a
    return DoubleDouble(sum, (a - (sum - part)) + (b - part))
  }

  /// `a * b` exactly, while nothing underflows.
  @inline(__always)
  package static func product(_ a: Double, _ b: Double) -> DoubleDouble {
    let product = a * b
    return DoubleDouble(product, (-product).addingProduct(a, b))
  }

  @inline(__always)
  package static func + (a: DoubleDouble, b: DoubleDouble) -> DoubleDouble {
    let high = sum(a.hi, b.hi)
    let low = sum(a.lo, b.lo)
    let middle = renormalised(high.hi, high.lo + low.hi)
    return renormalised(middle.hi, middle.lo + low.lo)
  }

  @inline(__always)
  package static prefix func - (a: DoubleDouble) -> DoubleDouble { DoubleDouble(-a.hi, -a.lo) }

  @inline(__always)
  package static func - (a: DoubleDouble, b: DoubleDouble) -> DoubleDouble { a + -b }

  @inline(__always)
  package static func * (a: DoubleDouble, b: DoubleDouble) -> DoubleDouble {
    let high = product(a.hi, b.hi)
    let cross = (a.lo * b.lo).addingProduct(a.hi, b.lo).addingProduct(a.lo, b.hi)
    return renormalised(high.hi, high.lo + cross)
  }

  @inline(__always)
  package static func / (a: DoubleDouble, b: DoubleDouble) -> DoubleDouble {
    let first = a.hi / b.hi
    let rest = a - DoubleDouble(first) * b
    let second = rest.hi / b.hi
    let last = (rest - DoubleDouble(second) * b).hi / b.hi
    return renormalised(first, second) + DoubleDouble(last)
  }

  @inline(__always)
  package static func += (a: inout DoubleDouble, b: DoubleDouble) { a = a + b }

  @inline(__always)
  package static func -= (a: inout DoubleDouble, b: DoubleDouble) { a = a - b }

  package func squareRoot() -> DoubleDouble {
    guard hi > 0 else { return .zero }
    let root = hi.squareRoot()
    let rest = self - Self.product(root, root)
    return Self.renormalised(root, rest.hi / (2 * root))
  }
}
