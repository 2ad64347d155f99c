import Curvature
import LinearMaps
import Presentation
import TensorPrograms

/// The samples that are diagnosed, and the loss over them.
struct ChosenData<Scalar: LinearMapScalar> {
  /// With what was found out about its samples.
  private(set) var problem: DiagnosisProblem
  private(set) var objective: any Loss<Scalar>
  private(set) var budget: WorkBudget
  /// All samples, where only some of them are diagnosed.
  private(set) var whole: SampleChoice?

  init(
    _ problem: DiagnosisProblem, _ request: DiagnosisRequest, _ executor: any Executor,
    _ context: RunContext
  ) throws {
    let resources = request.resources
    self.problem = try Self.withCouplingFound(problem, executor)
    objective = try self.problem.loss(
      executor: executor, memory: resources.memory, context: context)
    budget = try WorkBudget(objective, limit: resources.workLimit)
    guard problem.table == nil, case .traced(let definition, let data) = self.problem.loss,
      !definition.couplesSamples,
      let affordable = budget.affordableSamples(of: problem.sampleCount)
    else { return }
    let chosen = SampleChoice.draw(
      affordable, of: problem.sampleCount, batch: definition.fixedBatch ?? 1, seed: resources.seed)
    guard chosen.count < problem.sampleCount else { return }
    whole = SampleChoice(data: self.problem.data(Scalar.element))
    self.problem.loss = .traced(definition, data: data.map { $0.samples(at: chosen) })
    objective = try self.problem.loss(
      executor: executor, memory: resources.memory, context: context)
    budget = try WorkBudget(objective, limit: resources.workLimit)
  }

  /// The problem as one batch, where a sample's loss is found to depend on the others.
  private static func withCouplingFound(
    _ problem: DiagnosisProblem, _ executor: any Executor
  ) throws -> DiagnosisProblem {
    guard case .traced(var definition, let data) = problem.loss, problem.table == nil,
      definition.fixedBatch == nil, !definition.couplesSamples, problem.sampleCount > 1,
      try !definition.separatesSamples(
        problem.data(Scalar.element), at: problem.start.map { Scalar($0) }, executor: executor)
    else { return problem }
    definition.couplesSamples = true
    var problem = problem
    problem.loss = .traced(definition, data: data)
    problem.notes.append(
      "A sample's loss depends on the others of its batch (as under BatchNormalization while "
        + "training), so all \(Wording.count(problem.sampleCount, "sample")) were measured as one "
        + "batch, as given.")
    return problem
  }
}
