import Curvature
import LinearMaps

/// Lanes of a sweep that take their steps together.
protocol LaneChunk<Scalar>: AnyObject {
  associatedtype Scalar: LinearMapScalar

  var laneCount: Int { get }

  /// One step of each lane.
  ///
  /// - Parameter rates: one per lane.
  /// - Returns: the loss and the gradient norm of each lane before the step.
  func step(_ rates: [Double]) throws -> [(loss: Double, gradientNorm: Double)]

  /// The parameters of a lane as they are, or as they were before the last step.
  func parameters(of lane: Int, beforeLastStep: Bool) -> [Scalar]
}

/// A lane by itself, for what no lanes can share.
final class SingleLane<Scalar: LinearMapScalar>: LaneChunk {
  let laneCount = 1
  private let run: TrainingRun<Scalar>
  private var before: [Scalar]

  init(
    _ loss: any Loss<Scalar>, _ optimizer: any Optimizer, _ lane: SweepLane<Scalar>,
    _ rules: StepRules
  ) throws {
    run = try TrainingRun(
      loss, optimizer, rate: lane.rate, from: lane.start,
      gradients: lane.batches.map { .batches($0) } ?? .allSamples, rules: rules)
    before = lane.start
  }

  func step(_ rates: [Double]) throws -> [(loss: Double, gradientNorm: Double)] {
    run.rate = rates[0]
    let report = try run.step()
    return [(report.loss, report.gradientNorm)]
  }

  func parameters(of lane: Int, beforeLastStep: Bool) -> [Scalar] {
    beforeLastStep ? run.parametersBefore : run.parameters
  }
}
