import Curvature
import LinearMaps
import TensorPrograms
import Testing
import Training

@Suite struct GradientSourceTests {
  let problem = Regression()

  /// The forms of a step give one course.
  @Test(arguments: OptimizerRow.all)
  func formsAgree(_ row: OptimizerRow) throws {
    let optimizer = try OptimizerSetting(row.name, row.hyperparameters).make()
    let reference = OptimizerTests.reference(row)
    for (name, run) in try TrainingForms.all(optimizer, rate: row.rate) {
      try OptimizerTests.check(run, reference, tolerance: 1e-12, name)
    }
  }

  /// A rate may change between steps, and a closure is told which step it serves.
  @Test func closuresSeeTheStep() throws {
    var seen: [Int] = []
    let run = try TrainingRun(
      ClosureLoss<Double>(problem.closures), GradientDescent(), rate: 1, from: problem.start,
      gradients: .closure { point, step in
        seen.append(step)
        return (7, point.map { _ in 1 })
      })
    for rate in [1, 0.5, 0.25] {
      run.rate = rate
      let report = try run.step()
      let (loss, norm) = (report.loss, report.gradientNorm)
      #expect(loss == 7 && abs(norm - 10.0.squareRoot()) < 1e-14)
    }
    #expect(seen == [0, 1, 2])
    #expect(relativeDistance(run.parameters, problem.start.map { $0 - 1.75 }) < 1e-14)
  }

  @Test func workIsCounted() throws {
    let whole: Objective<Double> = try problem.objective()
    let run = try TrainingRun(whole, Follower(), rate: 0.1, from: problem.start)
    #expect(whole.operations == 0)
    try run.step()
    #expect(whole.operations == run.operationsPerStep)
    #expect(try run.operationsPerStep > whole.gradientOperations())
    let parts: Objective<Double> = try problem.objective(maxBatchSize: 2)
    let inParts = try TrainingRun(parts, Follower(), rate: 0.1, from: problem.start)
    try inParts.step()
    #expect(try parts.operations == inParts.operationsPerStep + parts.gradientOperations())
    let closures = ClosureLoss<Double>(problem.closures)
    let byClosures = try TrainingRun(closures, Follower(), rate: 0.1, from: problem.start)
    try byClosures.step()
    #expect(
      closures.operations
        == byClosures.operationsPerStep + problem.closures.gradientOperations)
    #expect(problem.closures.gradientOperations == 6 * 10 * 7)
  }

  @Test func aShortGradientIsRefused() throws {
    let error = CurvatureError.wrongLength("gradient", given: 9, wanted: 10)
    let run = try TrainingRun(
      ClosureLoss<Double>(problem.closures), GradientDescent(), rate: 1, from: problem.start,
      gradients: .closure { point, _ in (0, Array(point.dropLast())) })
    #expect(throws: error) { try run.step() }
    #expect(run.parameters == problem.start && run.stepCount == 0)
    #expect(
      "\(error)"
        == "the gradient has 9 numbers, but there are 10 parameters; return one for each")
  }

  // MARK: Mini-batches

  /// `f = mean_i p_i` over samples `i`: each step of descent at rate 1 takes `1/size` off those it saw.
  private func samplesSeen(
    _ count: Int, size: Int, seed: UInt64, steps: Int
  ) throws -> [[Int]] {
    let identity = (0..<count * count).map { $0 / count == $0 % count ? 1.0 : 0 }
    let loss = try Objective<Double>(
      LossDefinition(parameters: [.init("p", [count])]) { p, data in data[0].matmul(p[0]).mean() },
      data: [Tensor(identity, shape: [count, count])], executor: ReferenceExecutor())
    let run = try TrainingRun(
      loss, GradientDescent(), rate: 1, from: [Double](repeating: 0, count: count),
      gradients: .batches(Batches(size: size, seed: seed)))
    var all: [[Int]] = []
    for _ in 0..<steps {
      let before = run.parameters
      try run.step()
      let taken = zip(before, run.parameters).map { $0 - $1 }
      let seen = taken.indices.filter { taken[$0] != 0 }
      #expect(seen.allSatisfy { abs(taken[$0] - 1 / Double(seen.count)) < 1e-12 })
      all.append(seen)
    }
    return all
  }

  @Test(arguments: [(11, 4), (12, 4), (5, 5), (6, 1), (7, 5)])
  func eachPassTakesEachSampleOnce(count: Int, size: Int) throws {
    let perPass = (count + size - 1) / size
    let seen = try samplesSeen(count, size: size, seed: 9, steps: 3 * perPass)
    var orders: Set<[[Int]]> = []
    for pass in 0..<3 {
      let batches = Array(seen[pass * perPass..<(pass + 1) * perPass])
      #expect(batches.flatMap { $0 }.sorted() == Array(0..<count))
      #expect(batches.dropLast().allSatisfy { $0.count == size })
      #expect(batches.last?.count == count - (perPass - 1) * size)
      orders.insert(batches)
    }
    #expect(size == count || orders.count == 3, "passes in one order")
    #expect(try samplesSeen(count, size: size, seed: 9, steps: 3 * perPass) == seen)
    let other = try samplesSeen(count, size: size, seed: 10, steps: 3 * perPass)
    #expect(size == count || other != seen)
  }

  /// A course over mini-batches against the reference over the samples that were seen.
  @Test(arguments: OptimizerRow.all)
  func batchesGiveTheirMeans(_ row: OptimizerRow) throws {
    let seen = try samplesSeen(problem.samples, size: 3, seed: 4, steps: 20)
    var reference = Reference(from: problem.start, rate: row.rate) { _ in (0, []) }
    for chosen in seen {
      var next = Reference(from: reference.x, rate: row.rate) {
        problem.valueAndGradient(at: $0, samples: chosen)
      }
      (next.memory, next.count) = (reference.memory, reference.count)
      (next.losses, next.gradientNorms) = (reference.losses, reference.gradientNorms)
      next.take(row.step)
      reference = next
    }
    let optimizer = try OptimizerSetting(row.name, row.hyperparameters).make()
    let double: Objective<Double> = try problem.objective()
    try OptimizerTests.check(
      TrainingRun(
        double, optimizer, rate: row.rate, from: problem.start,
        gradients: .batches(Batches(size: 3, seed: 4))), reference, tolerance: 1e-12)
    let single: Objective<Float> = try problem.objective()
    try OptimizerTests.check(
      TrainingRun(
        single, optimizer, rate: row.rate, from: problem.start.map { Float($0) },
        gradients: .batches(Batches(size: 3, seed: 4))), reference,
      tolerance: row.name == "adam" ? 3e-3 : 1e-5)
  }

  /// The refusal of mini-batches of a loss.
  private func refusal(_ loss: any Loss<Double>, size: Int = 2) -> String {
    do {
      _ = try TrainingRun(
        loss, Adam(), rate: 0.1, from: [Double](repeating: 0, count: loss.parameterCount),
        gradients: .batches(Batches(size: size, seed: 0)))
      return "none"
    } catch {
      return "\(error)"
    }
  }

  @Test func refusals() throws {
    func sentence(_ reason: String) -> String {
      "There are no mini-batches of this loss: \(reason); train on all samples."
    }
    #expect(refusal(ClosureLoss(problem.closures)) == sentence("it is no tensor program"))
    let objective: Objective<Double> = try problem.objective()
    #expect(refusal(objective) == "none")
    #expect(refusal(objective, size: 0) == sentence("0 of 7 samples were asked for"))
    #expect(refusal(objective, size: 8) == sentence("8 of 7 samples were asked for"))
    let shared: Objective<Double> = try problem.objective(reduction: TwinReduction())
    #expect(refusal(shared) == sentence("other parties hold samples of it too"))
    var coupled = problem.definition
    coupled.couplesSamples = true
    #expect(
      try refusal(Objective(coupled, data: objective.data, executor: ReferenceExecutor()))
        == sentence("a sample's loss depends on the others"))
    var fixed = problem.definition
    fixed.fixedBatch = 7
    let inSevens = try Objective<Double>(
      fixed, data: objective.data, executor: ReferenceExecutor())
    #expect(
      refusal(inSevens) == sentence("the model takes batches of 7 alone, and not of 2"))
    #expect(refusal(inSevens, size: 7) == "none")
  }
}
