extension KrylovBasis {
  /// Throws `notSymmetric` where the products are not those of a symmetric map.
  func requireSymmetry() throws {
    // Rounding of float products, even inside a map that hands out doubles, stays far below.
    // Below the least normal number rounding is absolute and says nothing of the map.
    if asymmetry > max(1e-4, 16 * Double(Scalar.ulpOfOne).squareRoot()) * scale,
      asymmetry > Double(dimension) * Double(Scalar.leastNormalMagnitude)
    {
      throw LinearMapError.notSymmetric(relativeAsymmetry: asymmetry / scale)
    }
  }
}
