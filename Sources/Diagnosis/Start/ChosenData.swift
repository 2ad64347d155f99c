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

  /// - Parameter needsRows: whether a table's rows are to stay as they are, however many.
  init(
    _ problem: DiagnosisProblem, _ request: DiagnosisRequest, _ executor: any Executor,
    _ context: RunContext, needsRows: Bool = false
  ) throws {
    let resources = request.resources
    self.problem = try Self.withCouplingFound(problem, executor)
    // Steps on some samples each, and rounding to float32, are of the rows.
    if !needsRows, Scalar.precisionName == "float64", request.training.batch == nil,
      let table = problem.table?.compressed(seed: resources.probeSeed)
    {
      self.problem = self.problem.onRows(of: table)
    }
    objective = try self.problem.loss(
      executor: executor, memory: resources.memory, context: context)
    budget = try WorkBudget(objective, limit: resources.workLimit)
    guard !needsRows, self.problem.table?.compression == nil,
      case .traced(let definition, let data) = self.problem.loss, !definition.couplesSamples,
      let affordable = budget.affordableSamples(of: problem.sampleCount)
    else { return }
    let chosen = SampleChoice.draw(
      affordable, of: problem.sampleCount, batch: definition.fixedBatch ?? 1, seed: resources.seed)
    guard chosen.count < problem.sampleCount else { return }
    whole = SampleChoice(data: self.problem.data(Scalar.element))
    if let table = self.problem.table {
      self.problem = self.problem.onRows(of: table.rows(at: chosen))
    } else {
      self.problem.loss = .traced(definition, data: data.map { $0.samples(at: chosen) })
    }
    self.problem.readings.append(
      .someSamples(
        chosen.count, of: problem.sampleCount, called: problem.table == nil ? "sample" : "row",
        seed: resources.seed))
    objective = try self.problem.loss(
      executor: executor, memory: resources.memory, context: context)
    budget = try WorkBudget(objective, limit: resources.workLimit)
  }

  /// The problem with what running batches tells: as one batch where a sample's loss depends on the others,
  /// in batches of one size where the model takes no other.
  static func withCouplingFound(
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

extension Reading {
  /// That only some samples are diagnosed.
  fileprivate static func someSamples(
    _ chosen: Int, of count: Int, called noun: String, seed: Int
  ) -> Reading {
    Reading(
      "some-samples",
      "\(Wording.count(chosen)) of the \(Wording.count(count, noun)), drawn by --seed \(seed), since all "
        + "would take too long; --effort allows more.")
  }
}

extension TabularProblem {
  /// The problem on some of its rows. Losses that are added up stay those of all, estimated.
  func rows(at chosen: [Int]) -> TabularProblem {
    var result = self
    let d = featureCount
    result.rowsMeant = rowsMeant ?? sampleCount
    result.features = chosen.flatMap { features[$0 * d..<($0 + 1) * d] }
    result.target =
      switch target {
      case .numeric(let values): .numeric(chosen.map { values[$0] })
      case .classes(let indices, let count): .classes(chosen.map { indices[$0] }, count: count)
      }
    return result
  }
}
