extension Double {
  /// This number where it is positive, else (and where it is subnormal) the least normal one: what a
  /// ratio to a size that may be zero divides by.
  package var asDivisor: Double { max(self, .leastNormalMagnitude) }
}
