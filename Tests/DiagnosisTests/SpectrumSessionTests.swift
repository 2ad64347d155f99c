import Curvature
import Foundation
import LinearMaps
import TensorPrograms
import Testing
import Training

@testable import Diagnosis

/// `measureSpectrum` against spectra known otherwise.
@Suite struct SpectrumSessionTests {
  static func measure(
    _ problem: TabularProblem, _ change: (inout SpectrumRequest) -> Void = { _ in }
  ) throws -> SpectrumResult {
    var request = SpectrumRequest(of: .test())
    change(&request)
    return try measureSpectrum(of: problem, request: request, executor: ReferenceExecutor())
  }

  /// At zero weights the Hessian of softmax over `K` classes is `(I - 11'/K)/K (x) S`, `S = Z'Z/n` with
  /// the bias's column of ones: each eigenvalue `s/K` of `S` comes `K - 1` times, beside as many zeros as
  /// `S` has rows.
  @Test func `softmax at zero weights`() throws {
    let problem = try TestTable.wine(.softmax, standardised: true)
    let d = problem.featureCount + 1
    var moments = [Double](repeating: 0, count: d * d)
    for sample in 0..<problem.sampleCount {
      let row = (0..<d - 1).map { problem.features[sample * (d - 1) + $0] } + [1]
      for i in 0..<d {
        for j in 0..<d { moments[i * d + j] += row[i] * row[j] / Double(problem.sampleCount) }
      }
    }
    let s = try SymmetricEigensystem(columnMajor: moments, dimension: d).values
    let expected = (s.flatMap { [$0 / 3, $0 / 3] } + [Double](repeating: 0, count: d)).sorted()
    let report = try Self.measure(problem) {
      $0.count = 3 * d
      $0.densityError = 0.02
      $0.trace = true
    }.report
    #expect(report.smallest.count == 3 * d)
    for (pair, value) in zip(report.smallest, expected) {
      #expect(abs(pair.value - value) <= 1e-12 && pair.isConverged, "\(pair) | \(value)")
    }
    #expect(try #require(report.upperBound) >= expected.last!)
    #expect(report.outliers?.classes == 3)
    let trace = try #require(report.trace)
    #expect(abs(trace.value - expected.reduce(0, +)) < 1e-11 && trace.standardError == 0)
    let density = try #require(report.density)
    #expect(density.distribution.wassersteinDistance(toEigenvalues: expected) < 1e-12)
    #expect(density.negativeShare == 0)
  }

  /// A network beyond the dense limit, against the matrix written out.
  @Test func `a network with a dense reference`() throws {
    let problem = try TestTable.wine(.mlp(hidden: [64], activation: .tanh), standardised: true)
    var request = SpectrumRequest(of: .test { $0.resources.precision = .float64 })
    request.count = 3
    request.densityError = 0.03
    request.trace = true
    request.diagonal = true
    request.perLayer = true
    request.tolerance = 1e-6
    let result = try measureSpectrum(
      of: problem, request: request, executor: ReferenceExecutor())
    let report = result.report
    let n = report.operator.dimension
    #expect(n == 1091 && n > SolvedSpectrum.largestDimension)

    let session = try StartedProblem<Double>(
      DiagnosisProblem(problem), .test { $0.resources.precision = .float64 }, ReferenceExecutor())
    let matrix = try assembleDense(session.objective.hessian(at: session.point)).columns
    let values = try SymmetricEigensystem(
      columnMajor: matrix, dimension: n, withVectors: false
    ).values
    let rounding = 1e-10 * values[n - 1]
    for (pair, value) in zip(report.largest, values.reversed()) {
      #expect(abs(pair.value - value) <= pair.residual + rounding)
      #expect(pair.residual <= 1e-6 * values[n - 1])
    }
    #expect(abs(report.smallest[0].value - values[0]) <= report.smallest[0].residual + rounding)
    #expect(try #require(report.upperBound) >= values[n - 1] - rounding)
    #expect(try #require(report.lowerBound) <= values[0] + rounding)

    let shares = try #require(report.density)
    let negative = Double(values.count { $0 < -report.zeroThreshold! }) / Double(n)
    let weight = SpectralMass(eigenvalues: values).negativeCurvatureShare
    #expect(shares.negativeShareInterval.lower <= negative)
    #expect(shares.negativeShareInterval.upper >= negative)
    #expect(shares.negativeCurvatureShareInterval.lower <= weight)
    #expect(shares.negativeCurvatureShareInterval.upper >= weight)
    #expect((shares.negativeShare == nil) == (shares.negativeShareInterval.width > 0.1))
    // The bars' edges, at which the shares are bounded too.
    #expect(shares.distribution.splits.count == 17)
    for split in shares.distribution.splits {
      let below = Double(values.count { $0 < split.at }) / Double(n)
      #expect(
        split.share.lower <= below + 1e-12 && below <= split.share.upper + 1e-12,
        "\(split) \(below)")
    }
    let density = shares.distribution
    let distance = density.wassersteinDistance(toEigenvalues: values)
    #expect(distance <= density.wassersteinBound)
    #expect(density.wassersteinBound <= 0.03 * (values[n - 1] - values[0]) * 1.01)

    let trace = try #require(report.trace)
    let exact = values.reduce(0, +)
    #expect(abs(trace.value - exact) <= 4 * trace.standardError + rounding)
    let entries = try #require(result.diagonal)
    let error = Double.nrm2(n, (0..<n).map { entries[$0] - matrix[$0 * n + $0] })
    let norm = Double.nrm2(n, (0..<n).map { matrix[$0 * n + $0] })
    #expect(error <= 0.1 * norm)

    let layers = try #require(report.layers)
    #expect(layers.map(\.layer) == ["layer1", "layer2"])
    #expect(layers.map(\.parameterCount).reduce(0, +) == n)
    for layer in layers { #expect(layer.sharpness <= values[n - 1] * (1 + 1e-9)) }
    let sum = layers.compactMap(\.trace).reduce(0, +)
    let slack = layers.compactMap(\.traceStandardError).reduce(0, +)
    #expect(abs(sum - exact) <= 4 * slack + rounding)
  }

  @Test func `the same seed prints the same bytes`() throws {
    let problem = TestTable.classes(
      40, features: 30, count: 3, seed: 5, model: .mlp(hidden: [32], activation: .tanh))
    func json() throws -> String {
      try Self.measure(problem) {
        $0.densityError = 0.1
        $0.trace = true
        $0.perLayer = true
        $0.intervals = true
      }.report.json()
    }
    let first = try json()
    #expect(try json() == first)
    #expect(!first.contains("nan") && first.contains("\"eigenstep.spectrum/1\""))
  }

  @Test func `parameters, preconditioners and kinds`() throws {
    let problem = TestTable.linear(30, scales: [1, 50], seed: 3)
    let bias = try Self.measure(problem) { $0.parameters = "*bias" }.report
    #expect(bias.operator.dimension == 1 && abs(bias.largest[0].value - 1) < 1e-12)
    #expect(bias.largest == bias.smallest)

    func spread(_ preconditioning: SpectrumRequest.Preconditioning) throws -> Double {
      let report = try Self.measure(problem) { $0.preconditioning = preconditioning }.report
      return report.largest[0].value / report.smallest[0].value
    }
    #expect(try spread(.none) > 1000)
    #expect(try spread(.features) < 10)
    #expect(try spread(.diagonal) < 10)
    // Second moments of the squared scales, as Adam would divide by.
    #expect(try spread(.adam(secondMoments: [1, 2500 * 2500, 1])) < 10)

    let exact = try Self.measure(problem) { $0.kind = .fisher }.report.largest[0].value
    let hessian = try Self.measure(problem).report.largest[0].value
    #expect(abs(exact - hessian) <= 1e-10 * hessian)
  }

  struct Refusal: Sendable, CustomTestStringConvertible {
    let name: String
    let kind: DiagnosisFailure.Kind
    let words: [String]
    let change: @Sendable (inout SpectrumRequest) -> Void
    var testDescription: String { name }
  }

  static let refusals: [Refusal] = [
    Refusal(name: "more pairs than rows", kind: .usage, words: ["4", "3"]) { $0.count = 4 },
    Refusal(name: "no such parameter", kind: .usage, words: ["gain", "weights"]) {
      $0.parameters = "gain*"
    },
    Refusal(name: "no state for Adam", kind: .usage, words: ["`steps: N`", "STATE"]) {
      $0.preconditioning = .adam(secondMoments: nil)
    },
    Refusal(name: "a state of another size", kind: .badData, words: ["2", "3"]) {
      $0.preconditioning = .adam(secondMoments: [1, 2])
    },
    Refusal(name: "a negative state", kind: .badData, words: ["negative"]) {
      $0.preconditioning = .adam(secondMoments: [1, 2, -1])
    },
    Refusal(name: "a start that blew up", kind: .badData, words: ["not finite", "`rate`"]) {
      $0.training.rate = 1e200
      $0.training.steps = 3
    },
  ]

  @Test(arguments: refusals)
  func `refuses with one sentence`(row: Refusal) throws {
    let problem = TestTable.linear(20, scales: [1, 3], seed: 1)
    let error = #expect(throws: DiagnosisFailure.self) {
      try Self.measure(problem, row.change)
    }
    #expect(error?.kind == row.kind)
    let text = error?.description ?? ""
    for word in row.words { #expect(text.contains(word), "\(text)") }
  }

  /// float32 cannot reach 1e-12, and says what it can.
  @Test func `a tolerance out of reach`() throws {
    let problem = TestTable.classes(
      30, features: 20, count: 3, seed: 2, model: .mlp(hidden: [64], activation: .tanh))
    let report = try Self.measure(problem) {
      $0.tolerance = 1e-12
      $0.which = .largest
    }.report
    #expect(report.convergence?.reason == .stagnatedAtRounding)
    #expect(report.largest.allSatisfy { !$0.isConverged })
    #expect(report.advice.contains { $0.contains("float32") }, "\(report.advice)")
  }

  @Test func `an interrupt keeps what was measured`() throws {
    let problem = TestTable.classes(
      30, features: 20, count: 3, seed: 2, model: .mlp(hidden: [64], activation: .tanh))
    let stages = Stages()
    var request = SpectrumRequest(of: .test())
    request.densityError = 0.02
    let result = try measureSpectrum(
      of: problem, request: request, executor: ReferenceExecutor(),
      context: RunContext(
        progress: { stages.add($0.stage) }, isCancelled: { stages.hasBegun("density") }))
    #expect(!result.report.largest.isEmpty && result.report.density == nil)
    #expect(result.report.advice.contains { $0.contains("Interrupted") })
  }
}

/// What was shown as progress.
private final class Stages: @unchecked Sendable {
  // Unchecked: only touched under the lock.
  private let lock = NSLock()
  private var seen: [String] = []

  func add(_ stage: String) { lock.withLock { seen.append(stage) } }
  func hasBegun(_ prefix: String) -> Bool {
    lock.withLock { seen.contains { $0.hasPrefix(prefix) } }
  }
}
