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

  /// The problem with what running batches tells: as one batch where a sample's loss depends on the others,
  /// in batches of one size where the model takes no other.
  private static func withCouplingFound(
    _ problem: DiagnosisProblem, _ executor: any Executor
  ) throws -> DiagnosisProblem {
    guard case .traced(var definition, let data) = problem.loss, problem.table == nil,
      !definition.couplesSamples, problem.sampleCount > 1
    else { return problem }
    let found = try definition.coupling(
      problem.data(Scalar.element), at: problem.start.map { Scalar($0) }, executor: executor)
    let samples = problem.sampleCount
    let isWhole = found.fixedBatch == nil || found.fixedBatch == samples
    var problem = problem
    if found.couples {
      let place =
        found.node.map { " by the node \(Printable.line($0))" }
        ?? " (as under BatchNormalization while training)"
      definition.couplesSamples = isWhole
      problem.notes.append(
        "A sample's loss depends on the others of its batch\(place), so "
          + (isWhole
            ? "all \(Wording.count(samples, "sample")) were measured as one batch, as given."
            : "the loss is the mean over batches of \(found.fixedBatch ?? samples), in the order of the "
              + "data."))
    }
    if !found.couples, definition.fixedBatch == nil, let size = found.fixedBatch {
      definition.fixedBatch = size
      problem.notes.append(
        "The graph takes batches of \(Wording.count(size, "sample")) alone, as it was exported; each has "
          + "a loss of its own in them. Of fewer it says: "
          + "\(Printable.line(found.refusal ?? "they do not fit")).")
    }
    problem.loss = .traced(definition, data: data)
    return problem
  }
}
