import Curvature
import TensorPrograms
import Testing

@testable import Diagnosis

/// Least squares on a few rows that stand for many, against the same rows written out once: a table whose
/// rows are all repeated has the same mean loss, gradient and Hessian as one copy of them.
@Suite struct CompressedRowsTests {
  private func repeated(_ table: TabularProblem, _ times: Int) -> TabularProblem {
    var result = table
    result.features = (0..<times).flatMap { _ in table.features }
    if case .numeric(let values) = table.target {
      result.target = .numeric((0..<times).flatMap { _ in values })
    }
    return result
  }

  private func report(_ table: TabularProblem, rate: Double?) throws -> DiagnosisReport {
    var request = DiagnosisRequest()
    request.training.rate = rate
    request.trials.maxIterations = 3000
    return try diagnose(table, request: request, executor: ReferenceExecutor())
  }

  /// The mean of the target is none of the compressed rows' values.
  @Test func `a target's scale is that of all rows, and training on it takes the same course`()
    throws
  {
    var few = TestTable.linear(40, scales: [1, 30, 0.2], means: [5, 0, 1], seed: 4)
    few.target = .numeric(few.numericTarget.map { 1e4 * $0 + 3e5 })
    let many = repeated(few, 3000)
    #expect(many.compressed(seed: 1) != nil)
    let reports = try [few, many].map { try report($0, rate: 1e-3) }
    let evidence = try reports.map { report in
      try #require(report.findings.first { $0.id == "target-scale" }).evidence
    }
    let runs = try reports.map { report in
      try #require(report.prescriptions.first { $0.id == "standardise-all-and-adam" }?.measured)
    }
    for key in ["mean", "standardDeviation", "rootMeanSquare", "lossAtBestConstant"] {
      guard case .number(let left)? = evidence[0][key], case .number(let right)? = evidence[1][key]
      else {
        Issue.record("no \(key)")
        continue
      }
      #expect(abs(left - right) <= 1e-9 * abs(left), "\(key): \(left) and \(right)")
    }
    #expect(runs[0].iterations == runs[1].iterations && runs[0].rate == runs[1].rate)
    let losses = try runs.map { try #require($0.loss) }
    #expect(abs(losses[0] - losses[1]) <= 1e-6 * losses[0], "\(losses)")
  }

  @Test(arguments: [(0.0, ModelLoss.halfSquaredError), (0.3, .meanSquaredError)])
  func `a table of many rows is diagnosed as its few different ones`(
    l2: Double, loss: ModelLoss
  ) throws {
    var few = TestTable.linear(40, scales: [1, 30, 0.2], means: [5, 0, 1], seed: 4)
    few.l2 = l2
    few.loss = loss
    let many = repeated(few, 3000)
    let compressed = try #require(many.compressed(seed: 1))
    #expect(compressed.sampleCount == 5 && few.compressed(seed: 1) == nil)
    let (a, b) = (try report(few, rate: 1e-3), try report(many, rate: 1e-3))
    #expect(b.problem.samples == 120_000)
    func agree(_ path: String, _ left: Double?, _ right: Double?, _ tolerance: Double = 1e-11) {
      guard let left, let right else {
        #expect(left == right, "\(path)")
        return
      }
      #expect(close(left, right, tolerance), "\(path): \(left) \(right)")
    }
    agree("loss", a.problem.loss, b.problem.loss)
    agree("gradient", a.problem.gradientNorm, b.problem.gradientNorm)
    agree("largest", a.curvature.largest.value, b.curvature.largest.value)
    agree("smallest", a.curvature.smallest.value, b.curvature.smallest.value)
    agree("condition", a.curvature.conditionNumber, b.curvature.conditionNumber)
    agree("limit", a.learningRate.stabilityLimit, b.learningRate.stabilityLimit, 1e-9)
    #expect(a.prediction.iterations == b.prediction.iterations)
    #expect(a.prescriptions.map(\.id).sorted() == b.prescriptions.map(\.id).sorted())
    for item in a.prescriptions {
      let other = b.prescriptions.first { $0.id == item.id }
      #expect(item.measured?.iterations == other?.measured?.iterations, "\(item.id)")
      agree(item.id, item.measured?.loss, other?.measured?.loss, 1e-9)
    }
    // Of a sample so much larger the error is small, and of repeated rows that of chance.
    let sampling = try #require(b.curvature.largestOnLargerSample)
    #expect(sampling.lower < b.curvature.largest.value!)
    #expect(sampling.upper > b.curvature.largest.value!)
    #expect(sampling.upper / sampling.lower < 1.1)
  }

  /// A column that differs from another by a millionth: its own share of `A'A` is a part in 1e12, which
  /// normal equations in double lose and these keep.
  @Test func `what nearly depends on other columns keeps its digits`() throws {
    var few = TestTable.linear(40, scales: [1, 1], seed: 8)
    var generator = SeededGenerator(seed: 9)
    for row in 0..<40 {
      few.features[2 * row + 1] = few.features[2 * row] + 1e-6 * generator.normal()
    }
    let many = repeated(few, 5000)
    #expect(many.compressed(seed: 1) != nil)
    let (a, b) = (try report(few, rate: nil), try report(many, rate: nil))
    let (small, other) = (a.curvature.smallest.value!, b.curvature.smallest.value!)
    #expect(small > 0 && small < 1e-11 && close(small, other, 1e-9))
  }

  @Test func `columns that may depend on others leave the rows as they are`() throws {
    var few = TestTable.linear(40, scales: [1, 1], seed: 8)
    // By so little that the sums do not tell, and not at all.
    for difference in [0x1p-50, 0] {
      for row in 0..<40 {
        few.features[2 * row + 1] = few.features[2 * row] * (1 + (row == 7 ? difference : 0))
      }
      let isCompressed = repeated(few, 5000).compressed(seed: 1) != nil
      #expect(!isCompressed)
      let report = try report(few, rate: nil)
      #expect((report.curvature.conditionNumber == nil) == (difference == 0))
    }
  }

  /// Beyond what the rows can be asked: one column twice is one row less.
  @Test func `in a table too large for its rows a repeated column is a flat direction`() throws {
    var few = TestTable.linear(60, scales: [Double](repeating: 1, count: 28), seed: 8)
    for row in 0..<60 { few.features[28 * row + 27] = few.features[28 * row] }
    let many = repeated(few, 3200)
    let compressed = try #require(many.compressed(seed: 1))
    #expect(compressed.sampleCount == 29)
  }
}
