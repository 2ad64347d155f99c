import Curvature
import Foundation
import TensorPrograms
import Testing

@testable import Diagnosis

/// Models written in Swift, diagnosed.
@Suite struct SwiftModelTests {
  /// A small convolutional network on two kinds of noise.
  private func network(classes: Int = 2, normalised: Bool = false) throws -> DiagnosisProblem {
    var generator = SeededGenerator(seed: 5)
    let labels = (0..<24).map { Int64($0 % 2) }
    let pixels: [Float] = labels.flatMap { label in
      (0..<36).map { _ in Float(generator.normal()) * (label == 0 ? 0.5 : 1.5) }
    }
    var parameters = ParameterSet(seed: 1)
    parameters.convolution("conv", inputs: 1, outputs: 4, window: [3, 3])
    parameters.normalization("norm", features: 4)
    parameters.dense("head", inputs: 4, outputs: classes)
    return try DiagnosisProblem(
      "network", parameters: parameters, inputs: [Tensor(pixels, shape: [24, 1, 6, 6])],
      target: Tensor(labels, shape: [24]), loss: .crossEntropy
    ) { p, x in
      let features = x[0].convolution(p["conv"], padding: 1)
      let scaled =
        normalised
        ? features.batchNormalization(p["norm"]) : features.groupNormalization(p["norm"], groups: 2)
      return scaled.relu().globalAveragePooling().dense(p["head"])
    }
  }

  private func report(
    _ problem: DiagnosisProblem, _ change: (inout DiagnosisRequest) -> Void = { _ in }
  )
    throws -> DiagnosisReport
  {
    var request = DiagnosisRequest()
    request.resources.precision = .float64
    request.trials.maxIterations = 50
    change(&request)
    return try diagnose(problem, request: request, executor: ReferenceExecutor())
  }

  @Test func diagnosis() throws {
    let report = try report(network())
    #expect(report.problem.parameters == 4 * 9 + 4 + 8 + 10 && report.problem.layers == 3)
    #expect(report.problem.features == nil && report.problem.lossName == "cross-entropy")
    #expect(report.curvature.largest.value! > 0)
    #expect(report.curvature.largest.upperBound! >= report.curvature.largest.value!)
    #expect(report.layers.map(\.layer) == ["conv", "norm", "head"])
    #expect(!report.prescriptions.contains { $0.id == "standardise-features" })
    #expect(report.prescriptions.contains { $0.measured?.loss ?? 1 < report.problem.loss! })
    #expect(report.problem.notes.isEmpty)
  }

  /// The batch's own statistics couple the samples: measured as one batch, and said.
  @Test func coupledSamples() throws {
    let report = try report(network(normalised: true)) {
      $0.trials.areRun = false
      $0.resources.memory = 1 << 16
    }
    #expect(report.problem.notes.contains { $0.contains("one batch") })
    #expect(report.curvature.largestOnLargerSample == nil)
    // Without the note, so little memory would have cut them, and the curvature were another.
    let whole = try self.report(network(normalised: true)) { $0.trials.areRun = false }
    #expect(
      abs(report.curvature.largest.value! - whole.curvature.largest.value!)
        < 1e-9 * whole.curvature.largest.value!)
  }

  /// A large model's diagnosis names what it leaves out, and still has a bound and trials.
  @Test func workIsBounded() throws {
    let report = try report(network()) { $0.resources.workLimit = 1e7 }
    let left = try #require(report.findings.first { $0.id == "too-dear" })
    #expect(left.sentence.contains("Gauss-Newton") && left.sentence.contains("Newton's method"))
    #expect(report.curvature.operatorApplications < 60)
    #expect(report.curvature.largest.upperBound! >= report.curvature.largest.value!)
    #expect(report.prescriptions.contains { $0.measured != nil })
  }

  /// Some samples of many are diagnosed, and the sharpness holds for all.
  @Test func sharpnessOnAllSamples() throws {
    let problem = try network()
    let whole = try report(problem) { $0.trials.areRun = false }
    let some = try report(problem) {
      $0.resources.workLimit = 1e9
      $0.trials.areRun = false
    }
    #expect(whole.curvature.largestOnAllSamples == nil)
    #expect(some.problem.samples == 12)
    let onAll = try #require(some.curvature.largestOnAllSamples)
    let finding = try #require(some.findings.first { $0.id == "some-samples" })
    #expect(finding.sentence.contains("12 of the 24 samples"), "\(finding.sentence)")
    #expect(onAll.samples == 24 && (1...10).contains(onAll.operatorApplications))
    #expect(onAll.value <= whole.curvature.largest.value! + 1e-12)
    let eigenvalues = whole.directions.map(\.eigenvalue)
    #expect(eigenvalues.contains { abs($0 - onAll.value) <= onAll.residual + 1e-12 })
    #expect(onAll.residual < 0.5 * onAll.value)
    // The draw is the seed's.
    let again = try report(problem) {
      $0.resources.workLimit = 1e9
      $0.trials.areRun = false
    }
    #expect(try again.json() == some.json())
    // One product over all samples that would cost far more than everything else is not made.
    let little = try report(problem) {
      $0.resources.workLimit = 1e7
      $0.trials.areRun = false
    }
    #expect(little.curvature.largestOnAllSamples == nil)
    #expect(little.finding("too-dear")?.sentence.contains("the sharpness on all samples") == true)
  }

  /// A model of whole batches keeps its samples together.
  @Test(arguments: [(3, 12, 1), (5, 12, 1), (5, 24, 4), (7, 13, 1), (2, 24, 4)])
  func drawnSamples(wanted: Int, count: Int, batch: Int) {
    let drawn = SampleChoice.draw(wanted, of: count, batch: batch, seed: 3)
    #expect(drawn == drawn.sorted() && Set(drawn).count == drawn.count)
    #expect(drawn.count % batch == 0 && drawn.allSatisfy { $0 >= 0 && $0 < count })
    #expect(drawn.count <= max(wanted, batch) && 2 * drawn.count >= min(wanted, count))
    for group in Dictionary(grouping: drawn, by: { $0 / batch }).values {
      #expect(group.count == batch)
    }
  }

  @Test func labelOutOfRange() throws {
    var parameters = ParameterSet()
    parameters.dense("head", inputs: 2, outputs: 2)
    #expect {
      try DiagnosisProblem(
        "n", parameters: parameters, inputs: [Tensor(repeating: 1, type: .float32(3, 2))],
        target: Tensor([0, 2, 1] as [Int64], shape: [3]), loss: .crossEntropy
      ) { p, x in x[0].dense(p["head"]) }
    } throws: {
      "\($0)".contains("label 2") && "\($0)".contains("2 classes")
    }
  }
}
