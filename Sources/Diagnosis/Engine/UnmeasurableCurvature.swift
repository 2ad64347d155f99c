import LinearMaps

extension DiagnosisFailure {
  /// Why a curvature has no eigenvalues that could be told, in words of the model rather than of the map.
  init(unmeasurable error: LinearMapError) {
    switch error {
    case .tooLarge(let size):
      self.init(
        .badData,
        "The curvature here is so large\(size.isFinite ? " (about \(Wording.number(size)))" : "") that its "
          + "eigenvalues overflow; scale the inputs and targets down, or lower --l2.")
    case .notSymmetric(let asymmetry):
      self.init(
        .badData,
        "The curvature here is nothing but rounding: its products differ from symmetric ones by "
          + "\(Wording.number(100 * asymmetry)) % of their size, as where every output is saturated; "
          + "measure at another point, or with --precision float64.")
    case .tooManyEigenpairs:
      self.init(.usage, Self.sentence(error))
    case .nonFiniteProduct, .nonFiniteMatrix, .nonFiniteVector, .zeroStart, .lapack:
      self.init(.badData, "The curvature could not be measured: \(error).")
    }
  }

  /// An error's own words as a sentence.
  static func sentence(_ error: any Error) -> String {
    let text = "\(error)"
    return text.prefix(1).uppercased() + text.dropFirst() + (text.hasSuffix(".") ? "" : ".")
  }
}
