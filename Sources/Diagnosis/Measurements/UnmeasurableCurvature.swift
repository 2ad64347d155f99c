import LinearMaps
import Presentation

extension DiagnosisFailure {
  /// Why a curvature has no eigenvalues that could be told, in words of the model rather than of the map.
  init(unmeasurable error: LinearMapError) {
    switch error {
    case .tooLarge(let size):
      self.init(
        .badData,
        "The curvature here is so large\(size.isFinite ? " (about \(Wording.number(size)))" : "") that its "
          + "eigenvalues overflow; scale the inputs and targets down, or lower \(option: .l2).")
    case .notSymmetric(let asymmetry):
      self.init(
        .badData,
        "The curvature here is nothing but rounding: its products differ from symmetric ones by "
          + "\(Wording.number(100 * asymmetry)) % of their size, as where every output is saturated; "
          + "measure at another point, or with \(option: .precision, "float64").")
    case .tooManyEigenpairs:
      self.init(.usage, Self.sentence(error))
    case .nonFiniteProduct, .nonFiniteMatrix, .nonFiniteVector, .zeroStart, .lapack:
      self.init(.badData, "The curvature could not be measured: \(error).")
    }
  }

  /// The complaint about a column whose squares overflow.
  init(unsquarable name: String, peak: Double, precision: String) {
    self.init(
      .badData,
      "The column '\(name)' reaches \(Wording.number(peak)), too large to be squared in "
        + "\(precision); give it in a larger unit, standardise all columns with "
        + "\(option: .standardised), or leave it out with \(option: .dropped, name).")
  }

  /// An error's own words as a sentence.
  static func sentence(_ error: any Error) -> String {
    let text = "\(error)"
    return text.prefix(1).uppercased() + text.dropFirst() + (text.hasSuffix(".") ? "" : ".")
  }
}

extension DiagnosisProblem {
  /// The complaint about a table's largest column, where its squares overflow: with them go the curvature and
  /// the limit of every rate.
  func unsquarableColumn<Scalar: LinearMapScalar>(
    _ scaling: FeatureScaling, _: Scalar.Type
  ) -> DiagnosisFailure? {
    guard let table, let peak = scaling.peaks.max(),
      let column = scaling.peaks.firstIndex(of: peak),
      peak > 0.01 * Double(Scalar.greatestFiniteMagnitude).squareRoot()
    else { return nil }
    return DiagnosisFailure(
      unsquarable: table.featureNames[column], peak: peak, precision: Scalar.precisionName)
  }

  /// Refuses a table with such a column before it is trained on.
  ///
  /// - Throws: `DiagnosisFailure`.
  func requireSquarable<Scalar: LinearMapScalar>(_ type: Scalar.Type) throws {
    if let failure = table.flatMap({ unsquarableColumn(FeatureScaling($0), type) }) {
      throw failure
    }
  }
}

extension StartedProblem {
  /// Why a number is not finite here, as far as the point and the data show it.
  var nonFiniteCause: Finding.NonFiniteCause {
    // The loss of step 0 is that of the start, which no step has touched.
    if let brokenStep, brokenStep > 0 { return .training(step: brokenStep) }
    if let index = problem.start.firstIndex(where: { !Scalar($0).isFinite }) {
      return .parameter(problem.parameterTensor(index))
    }
    for (array, tensor) in problem.data.enumerated() where tensor.element.isFloating {
      if let index = tensor.doubles.firstIndex(where: { !$0.isFinite }) {
        return .data(array: array, sample: index / max(1, tensor.shape.removing([0]).count))
      }
    }
    if problem.l2 > 1e20 {
      return .arithmetic(remedy: "Lower the penalty --l2 \(Wording.number(problem.l2))")
    }
    return .arithmetic(
      remedy: (problem.table != nil ? "Standardise the columns" : "Scale the inputs down")
        + (Scalar.precisionName == "float32" ? ", or use --precision float64" : ""))
  }
}
