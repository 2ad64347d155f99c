import LinearMaps

/// A Krylov basis of a few vectors, which costs little beside as few products: `LanczosFactorization` makes room
/// for many at once.
///
/// The next vector is made when it is wanted: of the last product two sums are enough.
struct ShortBasis<Scalar: LinearMapScalar>: Sendable {
  private(set) var alphas: [Double] = []
  /// 0 where the space is invariant.
  private(set) var betas: [Double] = []
  private(set) var vectors: [[Scalar]]
  /// The product of the last vector, and whether its parts along the basis are taken off.
  private var product: [Scalar] = []
  private var isOrthogonal = false
  /// Vectors of which the recurrence alone keeps the next one orthogonal.
  private let few: Int

  /// - Parameter tolerance: the relative residual to end at. Before a pair has converged to half of the digits the
  ///   recurrence loses nothing.
  init(_ start: consuming [Scalar], tolerance: Double) {
    few = tolerance >= 0.01 ? .max : 3
    let norm = sums(start, start).square.squareRoot()
    // The array alone holds it from here on, so that it is scaled in place.
    vectors = [start]
    normalize(norm.isNormal && norm.isFinite ? norm : Scalar.nrm2(vectors[0].count, vectors[0]))
  }

  private mutating func normalize(_ norm: Double) {
    Scalar.scal(vectors[0].count, Scalar(1 / norm), &vectors[vectors.count - 1])
  }

  /// One product: its part along the last vector, and the length of what lies beside the basis.
  mutating func multiply<Map: LinearMap<Scalar>>(by map: Map) throws {
    let (count, steps) = (map.dimension, vectors.count)
    product = try [Scalar](unsafeUninitializedCapacity: count) { buffer, filled in
      try map.apply(vectors[steps - 1], into: buffer.baseAddress!)
      filled = count
    }
    var (alpha, square) = sums(vectors[steps - 1], product)
    var size = square.squareRoot()
    if !square.isNormal {
      // Too large or too small for its square, or nothing at all.
      size = Scalar.nrm2(count, product)
      alpha = Scalar.dot(count, vectors[steps - 1], product)
      square = size * size
    }
    // One number that is not finite makes the norm so.
    guard size.isFinite else {
      throw LinearMapError.nonFiniteProduct(
        application: steps, index: Scalar.firstNonFinite(count, product) ?? 0)
    }
    alphas.append(alpha)
    isOrthogonal = false
    guard size > 0, steps < count else { return betas.append(0) }
    let (along, before) = (alpha / size, (betas.last ?? 0) / size)
    let share = 1 - along * along - before * before
    // What is left of so much keeps more than half of its digits.
    guard steps > few || share < 1e-3 else { return betas.append(size * share.squareRoot()) }
    let norm = orthogonalize()
    betas.append(norm > 16 * Double(Scalar.ulpOfOne) * size ? norm : 0)
  }

  /// Makes the next vector of the last product.
  mutating func grow() {
    let (steps, norm) = (vectors.count, betas[betas.count - 1])
    if isOrthogonal {
      Scalar.scal(product.count, Scalar(1 / norm), &product)
    } else {
      remove(
        alphas[steps - 1], vectors[steps - 1], steps > 1 ? betas[steps - 2] : 0,
        vectors[max(0, steps - 2)], from: &product, dividingBy: norm)
    }
    vectors.append(product)
    product = []
  }

  /// Takes off what the product has along the basis.
  ///
  /// - Returns: the length of the rest.
  private mutating func orthogonalize() -> Double {
    isOrthogonal = true
    let count = product.count
    var (norm, taken) = (0.0, 0.0)
    // Once is enough for so few vectors, unless nearly all cancels.
    for _ in 0..<2 where norm <= 0.01 * taken.squareRoot() {
      for vector in vectors {
        let part = Scalar.dot(count, vector, product)
        Scalar.axpy(count, Scalar(-part), vector, &product)
        taken += part * part
      }
      norm = Scalar.nrm2(count, product)
    }
    return norm
  }
}

/// `x'y` and `y'y` in one pass, in double precision.
@_specialize(where Scalar == Float)
@_specialize(where Scalar == Double)
private func sums<Scalar: LinearMapScalar>(
  _ x: [Scalar], _ y: [Scalar]
) -> (inner: Double, square: Double) {
  x.withUnsafeBufferPointer { x in
    y.withUnsafeBufferPointer { y in
      // Eight sums of each, so that none waits for the last.
      var (inner, other) = (SIMD4<Double>(), SIMD4<Double>())
      var (square, second) = (SIMD4<Double>(), SIMD4<Double>())
      func four(_ z: UnsafeBufferPointer<Scalar>, _ i: Int) -> SIMD4<Double> {
        SIMD4(Double(z[i]), Double(z[i &+ 1]), Double(z[i &+ 2]), Double(z[i &+ 3]))
      }
      var i = 0
      while i &+ 8 <= y.count {
        let (x0, y0, x1, y1) = (four(x, i), four(y, i), four(x, i &+ 4), four(y, i &+ 4))
        inner += x0 * y0
        square += y0 * y0
        other += x1 * y1
        second += y1 * y1
        i = i &+ 8
      }
      var (a, b) = ((inner + other).sum(), (square + second).sum())
      while i < y.count {
        a += Double(x[i]) * Double(y[i])
        b += Double(y[i]) * Double(y[i])
        i = i &+ 1
      }
      return (a, b)
    }
  }
}

/// `y = (y - a u - b v) / c`.
@_specialize(where Scalar == Float)
@_specialize(where Scalar == Double)
private func remove<Scalar: LinearMapScalar>(
  _ a: Double, _ u: [Scalar], _ b: Double, _ v: [Scalar], from y: inout [Scalar],
  dividingBy c: Double
) {
  let (a, b, c, count) = (Scalar(a), Scalar(b), Scalar(1 / c), y.count)
  y.withUnsafeMutableBufferPointer { y in
    u.withUnsafeBufferPointer { u in
      v.withUnsafeBufferPointer { v in
        if b == 0 {
          for i in 0..<count { y[i] = (y[i] - a * u[i]) * c }
        } else {
          for i in 0..<count { y[i] = (y[i] - a * u[i] - b * v[i]) * c }
        }
      }
    }
  }
}

/// The Euclidean length; infinity or NaN where it has no finite one.
func length(of numbers: [Double]) -> Double {
  let square = Double.dot(numbers.count, numbers, numbers)
  // The norm that is safe from overflow takes several times as long.
  return square > 1e-200 && square < 1e200
    ? square.squareRoot() : Double.nrm2(numbers.count, numbers)
}

/// `sum_i c_i v_i`; of up to three in one pass.
@_specialize(where Scalar == Float)
@_specialize(where Scalar == Double)
func combination<Scalar: LinearMapScalar>(
  of vectors: [[Scalar]], _ coefficients: [Double]
) -> [Double] {
  let count = vectors[0].count
  return [Double](unsafeUninitializedCapacity: count) { sum, filled in
    var done = 0
    while done < coefficients.count {
      let left = coefficients.count - done
      let a = coefficients[done]
      vectors[done].withUnsafeBufferPointer { x in
        if left == 1 {
          for place in 0..<count {
            let value = a * Double(x[place])
            sum[place] = done == 0 ? value : sum[place] + value
          }
          return
        }
        let b = coefficients[done + 1]
        vectors[done + 1].withUnsafeBufferPointer { y in
          if left == 2 {
            for place in 0..<count {
              let value = a * Double(x[place]) + b * Double(y[place])
              sum[place] = done == 0 ? value : sum[place] + value
            }
            return
          }
          let c = coefficients[done + 2]
          vectors[done + 2].withUnsafeBufferPointer { z in
            for place in 0..<count {
              let value = a * Double(x[place]) + b * Double(y[place]) + c * Double(z[place])
              sum[place] = done == 0 ? value : sum[place] + value
            }
          }
        }
      }
      done += min(3, left)
    }
    filled = count
  }
}

/// A multiple of a vector with noise: numbers of one size with fair signs.
@_specialize(where Scalar == Float)
@_specialize(where Scalar == Double)
func mixed<Scalar: LinearMapScalar>(
  _ start: [Double], by factor: Double, noise: Double, seed: UInt64
) -> [Scalar] {
  var generator = SeededGenerator(seed: seed)
  let count = start.count
  // The noise of four numbers by four bits: without a branch, which would be guessed wrong every other time.
  let table = (0..<64).map { ($0 / 4) >> ($0 % 4) & 1 == 0 ? noise : -noise }
  return [Scalar](unsafeUninitializedCapacity: count) { buffer, filled in
    start.withUnsafeBufferPointer { start in
      table.withUnsafeBufferPointer { table in
        var index = 0
        while index &+ 64 <= count {
          var bits = generator.next()
          for _ in 0..<16 {
            let row = Int(truncatingIfNeeded: bits & 15) &* 4
            for place in 0..<4 {
              buffer[index &+ place] = Scalar(
                start[index &+ place] * factor + table[row &+ place])
            }
            bits = bits &>> 4
            index = index &+ 4
          }
        }
        let bits = generator.next()
        for bit in 0..<(count - index) {
          let sign = bits &>> UInt64(truncatingIfNeeded: bit) & 1 == 0 ? noise : -noise
          buffer[index &+ bit] = Scalar(start[index &+ bit] * factor + sign)
        }
      }
    }
    filled = count
  }
}
