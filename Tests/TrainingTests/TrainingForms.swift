import Curvature
import LinearMaps
import TensorPrograms
import Training

/// The ways in which a step can be made of the same full-batch loss.
enum TrainingForms {
  typealias Form = (name: String, run: TrainingRun<Double>)

  static func all(
    _ optimizer: any Optimizer, rate: Double, executor: any Executor = ReferenceExecutor()
  ) throws -> [Form] {
    let problem = Regression()
    let start = problem.start
    let whole: Objective<Double> = try problem.objective(executor: executor)
    let few: Objective<Double> = try problem.objective(memoryBudget: 2000, executor: executor)
    let one: Objective<Double> = try problem.objective(maxBatchSize: 1, executor: executor)
    let shared: Objective<Double> = try problem.objective(
      executor: executor, reduction: TwinReduction())
    precondition(whole.batchCount == 1 && few.batchCount > 1 && one.batchCount == 7)
    return [
      ("one run", try TrainingRun(whole, optimizer, rate: rate, from: start)),
      ("micro-batches", try TrainingRun(few, optimizer, rate: rate, from: start)),
      ("sample by sample", try TrainingRun(one, optimizer, rate: rate, from: start)),
      ("two parties", try TrainingRun(shared, optimizer, rate: rate, from: start)),
      (
        "closures",
        try TrainingRun(
          ClosureLoss(problem.closures, executor: executor), optimizer, rate: rate, from: start)
      ),
      (
        "a gradient handed in",
        try TrainingRun(
          whole, optimizer, rate: rate, from: start,
          gradients: .closure { point, _ in problem.valueAndGradient(at: point) })
      ),
    ]
  }
}

/// Another party that has the same samples and does the same.
struct TwinReduction: Reduction {
  func sum<Scalar: LinearMapScalar>(
    _ values: UnsafeMutablePointer<Scalar>, _ count: Int
  ) throws {
    for index in 0..<count { values[index] *= 2 }
  }
}
