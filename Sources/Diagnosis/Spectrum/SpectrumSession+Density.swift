import Curvature
import LinearMaps
import Presentation
import TensorPrograms

extension SpectrumSession {
  func density<Map: LinearMap>(
    of map: Map, _ solved: SolvedSpectrum?, _ error: Double, into report: inout SpectrumReport
  ) throws {
    let progress = start.context.progress
    progress(RunProgress(stage: "density"))
    let threshold = report.zeroThreshold ?? 0
    var options = SpectralDensity.Options()
    options.error = error
    options.seed = seed
    options.basisMemory = 3 * request.valueMemory / 2
    options.onProgress = { state in
      progress(
        RunProgress(
          stage: "density: \(state.operatorApplications) products, error "
            + Wording.number(state.wassersteinBound)))
    }
    options.splits = [-threshold]
    let density: SpectralDensity
    if let solved {
      // No sampling meets this error: all eigenvalues enter.
      options.error = 1e-12
      density = try SpectralDensity(of: DiagonalMap(solved.system.values), options: options)
    } else {
      options.splits += report.binEdges
      density = try SpectralDensity(of: map, options: options)
    }
    report.density = SpectrumReport.Density(
      density, eigenvalues: solved?.system.values, threshold: threshold,
      lowest: isSemidefinite ? 0 : report.lowerBound)
    report.operatorApplications += density.operatorApplications
    report.note(density.convergence, of: "density", option: "--error")
  }

  /// Whether the matrix cannot curve downwards, being a sum of outer products (losses are convex in a
  /// model's outputs), or the Hessian of a loss of a linear model.
  private var isSemidefinite: Bool {
    switch request.kind {
    case .hessian: start.problem.isLinearInParameters
    case .gaussNewton, .fisher, .sampledFisher, .empiricalFisher: true
    }
  }
}

extension SpectrumReport {
  /// Where the bars of a density meet: the ends of the spectrum and equal steps between; empty where the
  /// ends are not known.
  var binEdges: [Double] {
    guard let low = smallest.first?.value ?? lowerBound,
      let high = largest.first?.value ?? upperBound,
      low < high
    else { return [] }
    return (0...Density.bins).map { low + (high - low) * Double($0) / Double(Density.bins) }
  }
}

extension SpectrumReport.Density {
  /// - Parameters:
  ///   - distribution: its first split is at `-threshold`.
  ///   - eigenvalues: all of them, where they are known.
  ///   - lowest: no eigenvalue is below it.
  init(
    _ distribution: SpectralDensity, eigenvalues: [Double]?, threshold: Double, lowest: Double?
  ) {
    typealias Interval = SpectralDensity.Interval
    self.distribution = distribution
    let nothing = Interval(lower: 0, upper: 0)
    if let lowest, lowest >= -threshold {
      (negativeShareInterval, negativeCurvatureShareInterval) = (nothing, nothing)
    } else if let eigenvalues {
      let mass = SpectralMass(eigenvalues: eigenvalues)
      let share = mass.negativeShare(threshold: threshold)
      let curvature = share > 0 ? mass.negativeCurvatureShare : 0
      negativeShareInterval = Interval(lower: share, upper: share)
      negativeCurvatureShareInterval = Interval(lower: curvature, upper: curvature)
    } else {
      let split = distribution.splits[0]
      negativeShareInterval = split.share
      // None of those below zero is below `lowest`.
      let most = lowest.map { -$0 * split.share.upper } ?? .infinity
      negativeCurvatureShareInterval =
        split.share.upper == 0 ? nothing : split.weightShare(atMost: most)
    }
    let mass = SpectralMass(nodes: distribution.nodes, weights: distribution.weights)
    negativeShare = Self.estimate(
      mass.negativeShare(threshold: threshold), in: negativeShareInterval)
    negativeCurvatureShare = Self.estimate(
      mass.negativeCurvatureShare, in: negativeCurvatureShareInterval)
  }

  private static func estimate(
    _ value: Double, in interval: SpectralDensity.Interval
  ) -> Double? {
    interval.width <= widestInterval ? min(max(value, interval.lower), interval.upper) : nil
  }
}
