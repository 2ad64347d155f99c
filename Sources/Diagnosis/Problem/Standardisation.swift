import Presentation

/// What was done to a table's columns before anything was measured or trained: `x' = (x - mean) / deviation`.
///
/// Without a bias, which takes up what centring moves, a column is only divided by its root mean square. A model
/// that is linear in its parameters stays the same function, and its penalty the same penalty, so that
/// everything is a change of variables; a network begins anew.
public struct Standardisation: Sendable, Equatable, Codable {
  /// Names, in the order of the features.
  public var columns: [String]
  /// What is subtracted from each: 0 without a bias.
  public var means: [Double]
  /// What each is divided by then: 1 for a column that does not vary.
  public var deviations: [Double]
  /// Columns that do not vary, which are left at 0.
  public var constant: [String]
  /// Rows that means and deviations are of.
  public var rows: Int
}

extension TabularProblem {
  /// The problem in columns of mean 0 and population standard deviation 1, over its own rows.
  public func standardised() -> TabularProblem { standardised(by: FeatureScaling(self)) }

  /// Likewise by means and deviations of other rows, such as those that are trained on.
  func standardised(by scaling: FeatureScaling) -> TabularProblem {
    var result = scaling.applied(to: self)
    let constant = Set(scaling.constantColumns)
    for index in result.features.indices where constant.contains(index % featureCount) {
      result.features[index] = 0
    }
    result.scaling = scaling
    result.readings.append(reading(of: scaling))
    return result
  }

  /// What was done; nil where the columns are as given.
  func standardisation(rows: Int) -> Standardisation? {
    scaling.map {
      Standardisation(
        columns: featureNames, means: $0.means, deviations: $0.deviations,
        constant: $0.constantColumns.map { featureNames[$0] }, rows: rows)
    }
  }

  private func reading(of scaling: FeatureScaling) -> Reading {
    var words =
      scaling.isCentred
      ? "Each column has its mean subtracted and is divided by its standard deviation"
      : "Each column is divided by its root mean square (no mean is subtracted, since no bias makes up for it)"
    words += ", over these \(Wording.count(sampleCount, "row")): --standardise."
    let names = scaling.constantColumns.map { "`\(Printable.line(featureNames[$0]))`" }
    if !names.isEmpty {
      words +=
        " \(Wording.list(names, limit: 6)) \(names.count == 1 ? "does" : "do") not vary and "
        + "\(names.count == 1 ? "is" : "are") left at 0."
    }
    return Reading("standardised", words, names: scaling.constantColumns.map { featureNames[$0] })
  }
}
