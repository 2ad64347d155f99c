import Curvature
import LinearMaps
import TensorPrograms

/// All samples of a problem, of which some were drawn because all would take too long to diagnose.
struct SampleChoice {
  let data: [Tensor]

  var count: Int { data[0].shape[0] }

  /// Draws samples without replacement, in their order; in whole batches where the model takes no others.
  ///
  /// A number that divides all samples is preferred, so that one program serves for both.
  static func draw(
    _ wanted: Int, of count: Int, batch: Int, seed: Int
  ) -> [Int] {
    let groups = max(1, count / batch)
    let most = max(1, wanted / batch)
    let chosen = (max(1, (most + 1) / 2)...most).last { groups % $0 == 0 } ?? most
    var generator = SeededGenerator(seed: UInt64(bitPattern: Int64(seed)) &+ 2)
    return (0..<groups).shuffled(using: &generator).prefix(chosen).sorted()
      .flatMap { $0 * batch..<($0 + 1) * batch }
  }
}

/// What is known of the sharpness over all samples, from some of them.
public struct SharpnessOnAllSamples: Sendable, Equatable, Codable {
  /// All samples, of which `problem.samples` were diagnosed.
  public var samples: Int
  /// A Rayleigh quotient of the Hessian over all samples: its largest eigenvalue is at least this.
  public var value: Double
  /// An eigenvalue lies within this of `value`.
  public var residual: Double
  /// Products with the Hessian over all samples.
  public var operatorApplications: Int
}

extension DiagnosisSession {
  /// Lanczos on the Hessian over all samples, from the eigenvector that some of them gave.
  func sharpnessOnAllSamples(
    _ survey: CurvatureSurvey<Scalar>
  ) throws -> SharpnessOnAllSamples? {
    guard let whole, let definition = problem.definition, let objective = objective.objective,
      survey.largest > survey.zeroThreshold
    else { return nil }
    context.report("sharpness on all \(whole.count) samples")
    let all = try Objective<Scalar>(
      definition, data: whole.data, executor: executor, memoryBudget: request.resources.memory,
      maxBatchSize: objective.batchSize, context: context)
    var options = TopEigenpairs<Scalar>.Options()
    options.start = survey.sharpest
    options.tolerance = 0.01
    options.maxApplications = try WorkBudget(all, limit: request.resources.workLimit)
      .products(share: 0.3, least: 2, most: 10)
    let top = try TopEigenpairs<Scalar>(of: all.hessian(at: point), options: options)
    return SharpnessOnAllSamples(
      samples: whole.count, value: top.largest[0].value, residual: top.largest[0].residual,
      operatorApplications: top.convergence.operatorApplications)
  }
}
