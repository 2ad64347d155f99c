import Curvature
import Foundation
import LinearMaps
import Presentation
import TensorPrograms
import Training

/// Eigenpairs of both ends.
extension SpectrumSession {
  func eigenpairs(
    _ count: Int, of solved: SolvedSpectrum, into report: inout SpectrumReport
  ) {
    let values = solved.system.values
    func pairs(_ values: some Sequence<Double>) -> [SpectrumReport.Pair] {
      values.map { .init(value: $0, residual: solved.rounding, isConverged: true) }
    }
    if request.which != .smallest { report.largest = pairs(values.suffix(count).reversed()) }
    if request.which != .largest { report.smallest = pairs(values.prefix(count)) }
    report.upperBound = values.last! + solved.rounding
    report.lowerBound = values.first! - solved.rounding
    report.failureProbability = 0
    report.zeroThreshold = solved.rounding
    report.convergence = Convergence(
      reason: .invariantSubspace, operatorApplications: values.count,
      advice: "All eigenvalues were computed, exact up to rounding.")
  }

  func eigenpairs<Map: LinearMap<Scalar>>(
    _ count: Int, of map: Map, into report: inout SpectrumReport
  ) throws {
    let progress = start.context.progress
    var options = TopEigenpairs<Scalar>.Options()
    options.count = count
    options.end = TopEigenpairs<Scalar>.End(rawValue: request.which.rawValue)!
    options.tolerance = tolerance
    options.seed = seed
    options.maxApplications = max(300, 20 * count)
    options.maxBasisColumns = basisColumns(map.dimension)
    options.onProgress = { products, residual, _ in
      progress(
        RunProgress(
          stage: "eigenvalues: \(products) products, residual \(Wording.number(residual))"))
    }
    let top = try TopEigenpairs<Scalar>(of: map, options: options)
    func pairs(_ found: [Eigenpair<Scalar>], _ scale: Double) -> [SpectrumReport.Pair] {
      found.map {
        .init(
          value: $0.value, residual: $0.residual,
          isConverged: $0.residual <= max(tolerance * scale, top.rounding))
      }
    }
    report.largest = pairs(top.largest, top.scale)
    report.smallest = pairs(top.smallest, top.scale)
    report.upperBound = top.upperBound
    report.lowerBound = top.lowerBound
    report.failureProbability = top.failureProbability
    report.zeroThreshold = max(Double(map.dimension) * Double.ulpOfOne * top.scale, top.rounding)
    report.operatorApplications += top.convergence.operatorApplications
    report.convergence = top.convergence

    // The far end is dense in eigenvalues, and Lanczos slow there: ask the method made for it.
    if request.which != .largest, !report.smallest.allSatisfy(\.isConverged) {
      var options = SmallestEigenpairs<Scalar>.Options()
      options.count = count
      options.tolerance = tolerance
      options.seed = seed
      options.start = top.smallest.map(\.vector)
      options.basisColumns = basisColumns(map.dimension)
      progress(RunProgress(stage: "smallest eigenvalues"))
      let low = try SmallestEigenpairs<Scalar>(of: map, options: options)
      report.smallest = pairs(low.pairs, low.scale)
      report.lowerBound =
        [report.lowerBound, low.lowerBound].compactMap { $0 }.max() ?? report.lowerBound
      report.smallestMethod = "\(low.method.rawValue): \(low.choice)"
      report.operatorApplications += low.convergence.operatorApplications
      report.note(low.convergence, of: "smallest eigenvalues", option: "--tolerance")
      if report.largest.allSatisfy(\.isConverged) { return }
    }
    report.note(top.convergence, of: "eigenvalues", option: "--tolerance")
  }
}
