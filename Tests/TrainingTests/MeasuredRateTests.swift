import Curvature
import LinearMaps
import TensorPrograms
import Testing

@testable import Training

/// What holds the rate of a schedule that measures.
@Suite struct MeasuredRateTests {
  private func moment(_ step: Int, loss: Double? = nil) -> ScheduleMoment {
    ScheduleMoment(step: step, stepCount: 100, rate: 0.3, lastLoss: loss)
  }

  @Test func staysBelowItsCeiling() {
    var rate = MeasuredRate(ceiling: 4)
    #expect(rate.next(nil, moment(0)) == 0.3)
    #expect(rate.next(0.5, moment(1)) == 0.5)
    #expect(rate.next(1.5, moment(2)) == 1.5)
    #expect(rate.next(1e9, moment(3)) == 2)
    #expect(rate.next(nil, moment(4)) == 2)
    #expect(rate.next(.nan, moment(5)) == 2 && rate.next(.infinity, moment(6)) == 2)
    #expect(rate.next(0.1, moment(7)) == 0.1)
  }

  @Test func isHalvedWhereTheLossRisesAboveTheStarts() {
    var rate = MeasuredRate(ceiling: 4)
    _ = rate.next(1, moment(0))
    #expect(rate.next(1, moment(1, loss: 2)) == 1)
    #expect(rate.next(1, moment(2, loss: 2.4)) == 1)
    #expect(rate.next(1, moment(3, loss: 2.5)) == 0.5)
    #expect(rate.next(1, moment(4, loss: 1e9)) == 0.25)
    let kept = rate.memory
    // What is high and falls is let be.
    #expect(rate.next(1, moment(5, loss: 1e8)) == 0.25 + 0.003 * 0.75)
    var resumed = MeasuredRate(ceiling: 4)
    resumed.memory = kept
    #expect(resumed.next(1, moment(5, loss: 1e8)) == 0.25 + 0.003 * 0.75)
    // Of a loss below zero too.
    var negative = MeasuredRate(ceiling: 4)
    _ = negative.next(1, moment(0))
    #expect(negative.next(1, moment(1, loss: -2)) == 1)
    #expect(negative.next(1, moment(2, loss: -1.7)) == 1)
    #expect(negative.next(1, moment(3, loss: -1.5)) == 0.5)
  }

  /// `y = 2a - b + 1/2` with noise, in batches of 8 of 40 rows: the limit of all samples is far above what momentum
  /// and Adam bear there.
  private func objective() throws -> (Objective<Double>, sample: Objective<Double>) {
    var generator = SeededGenerator(seed: 12)
    var (x, y): ([Double], [Double]) = ([], [])
    for _ in 0..<40 {
      let (a, b) = (generator.nextNormal(), generator.nextNormal())
      x += [a, b, 1]
      y.append(2 * a - b + 0.5 + 0.1 * generator.nextNormal())
    }
    let definition = LossDefinition(parameters: [.init("w", [3, 1])]) { p, data in
      (data[0].matmul(p[0]) - data[1]).square().mean() * 0.5
    }
    func loss(_ rows: Int) throws -> Objective<Double> {
      try Objective(
        definition,
        data: [
          Tensor(Array(x.prefix(3 * rows)), type: TensorType(.float64, [rows, 3])),
          Tensor(Array(y.prefix(rows)), type: TensorType(.float64, [rows, 1])),
        ], executor: ReferenceExecutor())
    }
    return (try loss(40), try loss(8))
  }

  @Test(arguments: ["sharpness-following", "curvature-dynamics-aware", "critical-sharpness"])
  func noRunOfSmallBatchesRunsAway(_ name: String) throws {
    let (loss, sample) = try objective()
    let start = [0.0, 0, 0]
    let before = try loss.value(at: start)
    for optimizer in ["gd", "momentum", "adam", "rmsprop", "nadam"] {
      for seed in 0..<3 as Range<UInt64> {
        let run = try TrainingRun(
          loss, OptimizerSetting(optimizer).make(), rate: 0.1, from: start,
          gradients: .batches(Batches(size: 8, seed: seed)))
        let measurer = ScheduleMeasurer<Double>(sample: sample, seed: seed)
        _ = try Trainer(
          run, rate: 0, steps: 100, stepsPerPass: 5, schedule: ScheduleSetting(name).make(),
          sample: sample, measure: measurer.measure
        ).train()
        let after = try loss.value(at: run.parameters)
        #expect(after < before, "\(optimizer), seed \(seed): \(before) to \(after)")
      }
    }
  }

  /// Classes that can be told apart have no minimum: the sharpness falls with the loss, and the rate may not follow.
  @Test func separableClassesDoNotLetTheRateRunAway() throws {
    let definition = LossDefinition(parameters: [.init("w", [1])]) { p, data in
      (-(data[0] * p[0])).softplus().mean()
    }
    let loss = try Objective<Double>(
      definition, data: [Tensor([1.0, 2, 3, 4], shape: [4, 1])], executor: ReferenceExecutor())
    for name in ["sharpness-following", "curvature-dynamics-aware", "critical-sharpness"] {
      let run = try TrainingRun(loss, GradientDescent(), rate: 1, from: [0])
      let measurer = ScheduleMeasurer<Double>(seed: 1)
      var rates: [Double] = []
      _ = try Trainer(
        run, rate: 0, steps: 300, schedule: ScheduleSetting(name).make(), measure: measurer.measure
      ).train { if case .step(let record) = $0 { rates.append(record.rate) } }
      #expect(rates.max()! <= 10 * rates[0] * (1 + 1e-12), "\(name): \(rates.max()!)")
      #expect(try loss.value(at: run.parameters) < 0.01)
    }
  }
}
