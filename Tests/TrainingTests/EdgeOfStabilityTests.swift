import OnnxBackend
import Testing

@testable import Training

/// Full-batch runs settle where theory puts the limit: each optimizer at its own.
///
/// Reference: Cohen et al., arXiv:2103.00065 and arXiv:2207.14484.
@Suite struct EdgeOfStabilityTests {
  private struct Row: CustomStringConvertible {
    var description: String
    var optimizer: any Optimizer
    var rate: Double
    /// The degree of the polynomial that is learned, and the width.
    var degree: Double
    var width: Int
    var steps: Int
    /// From where on the plateau is measured.
    var from: Int
    var tolerance: Double
    /// Whether the sharpness starts below two thirds of the limit and has to rise to it.
    var rises: Bool
  }

  private static let rows: [Row] = [
    Row(
      description: "gradient descent at 0.2", optimizer: GradientDescent(), rate: 0.2, degree: 4,
      width: 40, steps: 3000, from: 2000, tolerance: 0.05, rises: false),
    Row(
      description: "gradient descent at 0.05", optimizer: GradientDescent(), rate: 0.05, degree: 4,
      width: 40, steps: 6000, from: 4000, tolerance: 0.05, rises: true),
    Row(
      description: "heavy ball at 0.1", optimizer: Momentum(beta: 0.9), rate: 0.1, degree: 6,
      width: 30, steps: 4000, from: 3000, tolerance: 0.15, rises: true),
    Row(
      description: "Nesterov at 0.05", optimizer: Nesterov(beta: 0.9), rate: 0.05, degree: 6,
      width: 30, steps: 4000, from: 3000, tolerance: 0.15, rises: true),
    Row(
      description: "Adam at 0.01", optimizer: Adam(), rate: 0.01, degree: 4, width: 20,
      steps: 3000, from: 2000, tolerance: 0.15, rises: true),
  ]

  @Test(arguments: rows) private func plateauIsAtTheLimit(_ row: Row) throws {
    let network = SmallNetwork.chebyshev(
      row.degree, width: row.width, seed: row.width == 20 ? 2 : 1)
    let run = try GuardedRun(
      network, row.optimizer, rate: row.rate, steps: row.steps, executor: OnnxExecutor())
    let plateau = run.plateau(from: row.from)
    #expect(
      abs(plateau.mean - 1) <= row.tolerance,
      "\(row): mean \(plateau.mean), 5-95 % \(plateau.low) to \(plateau.high)")
    #expect(plateau.high - plateau.low < 0.4, "\(row): \(plateau.low) to \(plateau.high)")
    if row.rises { #expect(run.ratios[0].ratio < plateau.mean / 1.5, "\(row)") }
    #expect(run.alarms.isEmpty && run.losses.last! < run.losses[0] / 10)
    let finding = try #require(run.summary.findings().first)
    if run.summary.series[0].limits?.crossing != nil {
      #expect(
        finding.id == "edge-of-stability" || finding.id == "crossed-the-limit", "\(finding)")
    }
  }
}
