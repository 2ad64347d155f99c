import Curvature
import Foundation
import LinearMaps
import Presentation
import Reports
import TensorPrograms
import Testing
import Training

@testable import Diagnosis

/// Runs that can no longer win are cut and told as cut; a rate that diverges when run is halved.
@Suite struct TrialCutTests {
  // MARK: The rule

  @Test func `a run is cut only where its rate of decrease cannot bring it down in time`() {
    var contest = Contest()
    contest.lowest = (loss: 1e-3, operations: 1000)
    // A geometric decrease ends where it is extrapolated to: 1,000 steps of one operation.
    for (halfLife, isLost) in [(50.0, false), (90, false), (110, true), (1000, true)] {
      let losses = (0..<250).map { exp2(-Double($0) / halfLife) }
      let end = exp2(-1000 / halfLife)
      #expect((end > 1e-3) == isLost)
      #expect(
        contest.isLost(losses: losses, operationsPerStep: 1, limit: 1000, floor: nil) == isLost,
        "\(halfLife)")
    }
    // What is lower already, whatever its rate; what is told beside the winner; what theory foretells.
    let flat = [Double](repeating: 0.9e-3, count: 250)
    #expect(!contest.isLost(losses: flat, operationsPerStep: 1, limit: 1000, floor: nil))
    let high = [Double](repeating: 1, count: 250)
    #expect(contest.isLost(losses: high, operationsPerStep: 1, limit: 1000, floor: nil))
    contest.isTold = true
    #expect(!contest.isLost(losses: high, operationsPerStep: 1, limit: 1000, floor: nil))
    contest.isTold = false
    contest.foretold = 900
    #expect(!contest.isLost(losses: high, operationsPerStep: 1, limit: 1000, floor: nil))
    contest.foretold = 1100
    #expect(contest.isLost(losses: high, operationsPerStep: 1, limit: 1000, floor: nil))
  }

  @Test func `below a certified minimum's gap the distance to it is what falls`() {
    var contest = Contest()
    contest.lowest = (loss: 5.001, operations: 1000)
    let losses = (0..<250).map { 5 + exp2(-Double($0) / 50) }
    #expect(!contest.isLost(losses: losses, operationsPerStep: 1, limit: 1000, floor: 5))
    let slow = (0..<250).map { 5 + exp2(-Double($0) / 200) }
    #expect(contest.isLost(losses: slow, operationsPerStep: 1, limit: 1000, floor: 5))
  }

  // MARK: Diagnoses

  /// Columns a thousandfold apart: standardising ends the trouble, and plain descent takes for ever.
  private static let stretched = TestTable.linear(60, scales: [0.01, 1, 10], seed: 41)

  private func report(
    _ problem: TabularProblem, _ change: (inout DiagnosisRequest) -> Void = { _ in }
  ) throws -> DiagnosisReport {
    try diagnose(problem, request: .test(change), executor: ReferenceExecutor())
  }

  @Test func `a cut run stands in report and JSON with where it was cut and its loss there`() throws
  {
    let rate = 1e-3
    let report = try report(Self.stretched) { $0.training.rate = rate }
    #expect(report.prescription(.standardiseFeatures)?.measured?.reached == true)
    let given = try #require(report.prescription(.asGiven))
    let measured = try #require(given.measured)
    let steps = try #require(measured.stepsRun)
    #expect(measured.wasCut == true && measured.iterations == nil && !measured.reached)
    #expect(steps > 0 && steps < 20_000)
    // Descent by hand has that loss after as many steps.
    let problem = Self.stretched
    let objective = try Objective<Double>(
      problem.definition, data: problem.data(.float64), executor: ReferenceExecutor())
    var x: [Double] = problem.start()
    for _ in 0..<steps {
      let slope = try objective.valueAndGradient(at: x).gradient
      x = zip(x, slope).map { $0 - rate * $1 }
    }
    let loss = try #require(measured.loss)
    #expect(abs(try objective.value(at: x) - loss) <= 1e-9 * loss)
    // The forecast goes on to the end that the run was not given.
    #expect(try #require(given.predicted.iterations) > steps)
    #expect(given.note?.contains("cut after") == true)
    let text = report.terminalText(TerminalStyle(colours: false, width: 400))
    #expect(text.contains("cut after") && text.contains("Runs that could no longer win were cut"))
    let data = try JSONEncoder().encode(report)
    let decoded = try JSONDecoder().decode(DiagnosisReport.self, from: data)
    #expect(decoded.prescription(.asGiven)?.measured == measured)
  }

  @Test
  func `thorough diagnoses and those of a number of steps cut nothing, and agree on the winner`()
    throws
  {
    let short = try report(Self.stretched)
    let thorough = try report(Self.stretched) { $0.resources.effort = 10 }
    let counted = try report(Self.stretched) { $0.trials.maxIterations = 3000 }
    #expect(short.prescriptions.contains { $0.measured?.wasCut == true })
    for other in [thorough, counted] {
      #expect(other.prescriptions.allSatisfy { $0.measured?.wasCut != true })
    }
    for item in counted.prescriptions where item.id != Prescription.Kind.newtonCG.rawValue {
      let measured = try #require(item.measured)
      #expect(measured.reached || measured.stepsRun == 3000, "\(item.id)")
    }
    let (a, b) = try (#require(short.advice.action), #require(thorough.advice.action))
    #expect(a.prescription == b.prescription && a.figures == b.figures)
    // What a cut run would have come to is more work than the winner's.
    for item in short.prescriptions where item.measured?.wasCut == true {
      let full = try #require(thorough.prescriptions.first { $0.id == item.id }?.measured)
      #expect(!full.reached || full.gradientEquivalents! > b.figures.work!, "\(item.id)")
    }
  }

  // MARK: Rates that diverge

  /// `x^4 / 4 - x^2 / 2`, whose curvature at 0.6 is 0.08: one over it throws x far up the walls.
  private static let well = LossClosures(
    parameters: [.init("x", [1])], value: { value($0[0]) },
    valueAndGradient: { (value($0[0]), [slope($0[0])]) },
    hessianProduct: { point, v in [(3 * point[0] * point[0] - 1) * v[0]] })

  private static func value(_ x: Double) -> Double { x * x * x * x / 4 - x * x / 2 }
  private static func slope(_ x: Double) -> Double { x * x * x - x }

  /// Whether descent on the well leaves every bound.
  private static func diverges(_ rate: Double) -> Bool {
    var x = 0.6
    for _ in 0..<2000 {
      x -= rate * slope(x)
      if !value(x).isFinite || value(x) > 1e16 { return true }
    }
    return false
  }

  @Test func `a safe rate that diverges when run is replaced by its largest halving that does not`()
    throws
  {
    var request = DiagnosisRequest()
    request.resources.precision = .float64
    let report = try diagnose(
      DiagnosisProblem(name: "well", loss: Self.well, start: [0.6]), request: request,
      executor: ReferenceExecutor())
    let first = 1 / 0.08
    #expect(Self.diverges(first))
    let halvings = (0...10).map { first / exp2(Double($0)) }
    let largest = try #require(halvings.first { !Self.diverges($0) })
    let safe = try #require(report.prescription(.safeRate))
    let measured = try #require(safe.measured)
    #expect(!measured.diverged)
    #expect(abs(try #require(measured.rate) - largest) < 1e-6 * largest)
    // Its prediction was of another rate; the sentence names the one that ran.
    #expect(safe.predicted.rate == measured.rate && safe.predicted.iterations == nil)
    #expect(safe.change.contains("gradient descent at"))
    #expect(safe.note?.contains("12.5 diverged when run") == true)
  }

  @Test func `the given rate is told as it is, however it diverges`() throws {
    var request = DiagnosisRequest()
    request.resources.precision = .float64
    request.training.rate = 12
    let report = try diagnose(
      DiagnosisProblem(name: "well", loss: Self.well, start: [0.6]), request: request,
      executor: ReferenceExecutor())
    let given = try #require(report.prescription(.asGiven))
    #expect(given.measured?.diverged == true && given.predicted.rate == 12)
    #expect(given.measured?.rate == nil && given.note == nil)
  }
}
