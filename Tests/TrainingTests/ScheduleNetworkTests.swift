import Curvature
import LinearMaps
import TensorPrograms
import Testing

@testable import Training

/// Schedules that measure, on a network whose full-batch descent comes to the edge of stability.
@Suite struct ScheduleNetworkTests {
  private struct Course {
    var losses: [Double] = []
    var rates: [Double] = []
    var gradientsPerMeasurement = 0.0
  }

  private func course(
    _ schedule: any Schedule, rate: Double, steps: Int,
    each: (TrainingRun<Double>) throws -> Void = { _ in }
  ) throws -> Course {
    let loss: Objective<Double> = try ScheduleNetwork.objective()
    let run = try TrainingRun(
      loss, GradientDescent(), rate: rate, from: ScheduleNetwork.start(seed: 1))
    let measurer = ScheduleMeasurer<Double>(seed: 1)
    var course = Course()
    let trainer = Trainer(
      run, rate: rate, steps: steps, schedule: schedule, measure: measurer.measure)
    _ = try trainer.train { event in
      guard case .step(let record) = event else { return }
      course.losses.append(record.loss)
      course.rates.append(record.rate)
      try each(run)
    }
    let period = schedule.measurement?.period ?? 1
    course.gradientsPerMeasurement =
      trainer.history.measuringGradients / Double((steps - 1) / period + 1)
    return course
  }

  /// Against eigenvalues that start from nothing, just before the next measurement.
  @Test func sharpnessFollowingStaysAtItsShare() throws {
    var shares: [Double] = []
    let course = try course(SharpnessFollowing(share: 0.9, every: 10), rate: 0.05, steps: 400) {
      run in
      guard run.stepCount % 50 == 10 else { return }
      var options = TopEigenpairs<Double>.Options()
      options.tolerance = 1e-4
      let cold = try TopEigenpairs<Double>(
        of: run.loss.hessian(at: run.parameters), options: options)
      shares.append(run.rate * cold.largest[0].value / 2)
    }
    #expect(shares.count == 8)
    for share in shares { #expect(abs(share - 0.9) < 0.06, "\(shares)") }
    #expect(Set(course.rates).count > 20 && course.losses.last! < 0.7 * course.losses[0])
    // A warm start: some products, each of three gradients or fewer, and the linearisation.
    #expect(course.gradientsPerMeasurement < 12, "\(course.gradientsPerMeasurement)")
  }

  /// Roulet et al., arXiv:2407.06183: the greedy rule is ahead at first and behind in the long run.
  @Test func theGreedyRuleLosesInTheLongRun() throws {
    let steps = 2500
    let constant = try course(Constant(), rate: 0.2, steps: steps)
    let greedy = try course(CurvatureDynamicsAware(sigma: 1), rate: 0.2, steps: steps)
    let edge = try course(CurvatureDynamicsAware(), rate: 0.2, steps: steps)
    #expect(greedy.losses[50] < constant.losses[50])
    #expect(greedy.losses[steps - 1] > 1.5 * constant.losses[steps - 1])
    #expect(edge.losses[steps - 1] < greedy.losses[steps - 1])
    // It undershoots: the sharpness that it lets rise takes the rate down.
    #expect(greedy.rates[steps - 1] < 0.5 * greedy.rates[20])
  }

  @Test func criticalSharpnessComesDown() throws {
    let course = try course(CriticalSharpness(), rate: 0.05, steps: 300)
    #expect(course.losses[299] < 0.8 * course.losses[0])
    // Five to six values of the loss, and the step that shows the direction.
    #expect(course.gradientsPerMeasurement < 4, "\(course.gradientsPerMeasurement)")
  }
}
