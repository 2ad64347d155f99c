import Diagnosis
import LinearMaps
import Presentation

extension SpectrumReport {
  /// Bars on a logarithmic scale, since a few outliers are what there is to see. A sampled share comes as
  /// the interval that it lies in.
  var densitySection: Document.Section? {
    guard let density else { return nil }
    let distribution = density.distribution
    let figure = Figure(
      [
        .bars(
          name: "share of the eigenvalues",
          bars.map { bar in
            Figure.Bar(
              bar.left, bar.right, height: bar.share,
              interval: bar.interval.map { .init($0.lower, $0.upper) })
          })
      ],
      x: .init("eigenvalue"),
      y: .init(
        "share", scale: .logarithmic, format: .percent,
        range: .init(1 / max(10, Double(self.operator.dimension)), 1)),
      caption: "Bars show the logarithm of the share; the distribution is within "
        + "\(Wording.number(distribution.wassersteinBound)) (Wasserstein distance) of the true one"
        + (distribution.probes > 0
          ? ", but for a chance of \(Wording.number(distribution.failureProbability))." : "."))
    return Document.Section(
      "Density of the eigenvalues", [.figure(figure), .explanation(density.signs)])
  }
}
