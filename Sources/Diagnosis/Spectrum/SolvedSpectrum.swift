import LinearMaps

/// A matrix small enough to be written out, a product per column, and solved: then nothing is estimated.
struct SolvedSpectrum {
  let matrix: DenseSymmetricMap<Double>
  let system: SymmetricEigensystem
  /// What rounding of the solver and of the products may have added to an eigenvalue.
  let rounding: Double

  /// Up to here the products cost less than what Lanczos would need for both ends and a density.
  static var largestDimension: Int { 1000 }

  init<Map: LinearMap>(_ map: Map) throws {
    let n = map.dimension
    let assembly = try assembleDense(map)
    matrix = DenseSymmetricMap(columnMajor: assembly.columns, dimension: n)
    system = try SymmetricEigensystem(columnMajor: assembly.columns, dimension: n)
    let scale = max(abs(system.values[0]), abs(system.values[n - 1]))
    rounding = max(
      Double(n) * Double.ulpOfOne * scale, assembly.asymmetry,
      Map.Scalar.precisionName == "float64" ? 0 : 8 * Double(Map.Scalar.ulpOfOne) * scale)
  }
}
