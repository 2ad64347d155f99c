import Testing

@testable import Training

/// What a trainer tells its schedule, and what it remembers of having been stopped.
@Suite struct TrainerNewsTests {
  /// Keeps what it is told.
  private struct Listener: Schedule {
    let name = "listener"
    let phrase = "what it is told"
    var memory: [Double] = []
    mutating func rate(_ moment: ScheduleMoment) -> Double { moment.rate }
    mutating func observe(loss: Double) { memory.append(loss) }
  }

  private func trainer(
    steps: Int, heldOut: @escaping (Int) -> DataReading?
  ) throws -> Trainer<Double> {
    let problem = Regression()
    var looks = 0
    return Trainer(
      try TrainingRun(problem.objective(), GradientDescent(), rate: 0.1, from: problem.start),
      rate: 0.1, steps: steps, schedule: Listener(),
      evaluator: TrainingEvaluator(every: 1) { _ in
        defer { looks += 1 }
        return (DataReading(loss: 1), heldOut(looks))
      })
  }

  @Test func `a held-out loss that is no number is none of the better ones`() throws {
    let trainer = try trainer(steps: 3) { DataReading(loss: $0 == 2 ? .nan : Double($0)) }
    _ = try trainer.train()
    #expect(trainer.schedule.memory == [0, 1, .infinity, 3])
    var plateau = ReduceOnPlateau(patience: 1)
    for loss in [.infinity, .infinity] as [Double] { plateau.observe(loss: loss) }
    #expect(
      plateau.rate(ScheduleMoment(step: 2, stepCount: 9, rate: 1)) == plateau.factor)
    let alone = try self.trainer(steps: 3) { _ in nil }
    _ = try alone.train()
    #expect(alone.schedule.memory.count == 3 && alone.schedule.memory.allSatisfy(\.isFinite))
  }

  @Test func `a run that has ended is not resumed`() throws {
    let done = try trainer(steps: 3) { _ in nil }
    let ending = try done.train()
    let state = done.state
    func resumed(steps: Int) throws -> Trainer<Double> {
      let problem = Regression()
      let other = Trainer(
        try TrainingRun(resuming: state.run, of: problem.objective()), rate: 0.1, steps: steps,
        schedule: Listener(),
        evaluator: TrainingEvaluator(every: 1) { _ in (DataReading(loss: 1), nil) })
      other.restore(state)
      return other
    }
    let again = try resumed(steps: 3)
    #expect(try again.train() == ending && again.history.resumedAfter == [])
    #expect(try resumed(steps: 5).history.resumedAfter == [3])
  }
}
