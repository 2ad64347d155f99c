import LinearMaps

// Loops over numbers of a run's precision. They are specialised: over a generic number they are tens of times
// slower.

/// `y_i = a x_i y_i`.
@_specialize(where Scalar == Float)
@_specialize(where Scalar == Double)
func multiply<Scalar: LinearMapScalar>(
  _ count: Int, _ y: UnsafeMutablePointer<Scalar>, by x: UnsafePointer<Scalar>, times factor: Scalar
) {
  for index in 0..<count { y[index] = factor * y[index] * x[index] }
}

/// `-x`.
func negated<Scalar: LinearMapScalar>(_ x: [Scalar]) -> [Scalar] {
  var y = x
  Scalar.scal(y.count, -1, &y)
  return y
}

/// `x - y`.
@_specialize(where Scalar == Float)
@_specialize(where Scalar == Double)
func difference<Scalar: LinearMapScalar>(_ x: [Scalar], _ y: [Scalar]) -> [Scalar] {
  var z = x
  for index in z.indices { z[index] -= y[index] }
  return z
}

/// The largest magnitude; 0 of none. Numbers that are not finite are passed over.
@_specialize(where Scalar == Float)
@_specialize(where Scalar == Double)
func largestMagnitude<Scalar: LinearMapScalar>(_ x: [Scalar]) -> Double {
  var largest = Scalar(0)
  for value in x {
    let size = abs(value)
    if size > largest { largest = size }
  }
  return Double(largest)
}

/// Whether two vectors of one length are the same numbers.
@_specialize(where Scalar == Float)
@_specialize(where Scalar == Double)
func areEqual<Scalar: LinearMapScalar>(_ x: [Scalar], _ y: [Scalar]) -> Bool {
  for index in x.indices where x[index] != y[index] { return false }
  return true
}
