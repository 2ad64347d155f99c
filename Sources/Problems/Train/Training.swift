import Diagnosis
import Foundation
import Logging
import OnnxBackend
import Presentation
import TensorFiles
import TensorPrograms
import Training
import TrainingLogs

/// Opens what a request names, trains it, and writes what was asked for.
///
///     var request = TrainingRequest(.table(TableRequest(file: "wine.csv", target: "class")))
///     request.rate = .number(0.1)
///     request.epochs = 20
///     request.batches = BatchSetup(size: 32)
///     let result = try train(request)
///
/// - Parameters:
///   - context: told where the work is, and asked whether to go on; once cancelled, the run ends with a
///     checkpoint.
///   - logger: told alarms, checkpoints and the end.
///   - event: told what happens, in order.
/// - Throws: as `diagnose`; `TrainingError`.
public func train(
  _ request: TrainingRequest, context: RunContext = RunContext(), logger: Logger? = nil,
  profiled: (ExecutionProfile) throws -> Void = { _ in },
  event: @escaping (TrainingEvent) throws -> Void = { _ in }
) throws -> TrainingResult {
  try request.check()
  try request.checkSaving()
  let store = try request.files.checkpoints.map {
    try CheckpointFolder($0, kept: request.files.kept)
  }
  let log = try request.files.log.map { try TrainingLog($0, resumes: request.files.resumes) }
  let checkpoints = store.map { LoggedCheckpoints(store: $0, log: log) }
  return try answer(request.source, request.resources, context, profiled) { problem, executor in
    let result = try train(
      problem, heldOut: try request.openHeldOut(beside: problem), request: request,
      TrainingSurroundings(
        executor: executor, context: context, store: checkpoints,
        rateFactors: try request.rateFactors(), logger: logger,
        event: {
          try log?.note($0)
          try event($0)
        }))
    try log?.flush()
    try request.save(result, of: problem)
    return result
  }
}

/// Checkpoints that are never ahead of the log: a run that goes on from one finds all steps before it there.
private struct LoggedCheckpoints: CheckpointStore {
  let store: CheckpointFolder
  let log: TrainingLog?

  func write(_ bytes: Data, step: Int) throws -> String {
    try log?.flush()
    return try store.write(bytes, step: step)
  }

  func stored() throws -> [StoredCheckpoint] { try store.stored() }
}

extension TrainingRequest {
  /// The problem, which writes a model file itself; columns are standardised once those are known that are
  /// trained on.
  fileprivate var source: ProblemSource {
    switch problem {
    case .table(var table):
      table.standardised = false
      return .table(table)
    case .model(var model):
      model.saved = files.saved
      return .model(model)
    case .memory: return problem
    }
  }

  /// Refuses what could not be written after a long run.
  fileprivate func checkSaving() throws {
    guard let saved = files.saved else { return }
    if case .table(let table) = problem, saved.lowercased().hasSuffix(".onnx") {
      throw DiagnosisFailure(
        .usage,
        "The model of the table \(table.file) is in no ONNX file that its parameters could be put into; give "
          + "\(option: .saved) a path that ends in .safetensors.")
    }
    guard OutputFile.canWrite(to: saved) else {
      throw DiagnosisFailure(
        .cannotCreate,
        "The file '\(saved)' cannot be written; give \(option: .saved) a path in a folder that you may "
          + "write to.")
    }
  }

  fileprivate func save(_ result: TrainingResult, of problem: DiagnosisProblem) throws {
    guard let saved = files.saved, !result.parameters.isEmpty else { return }
    if let write = problem.atPoint {
      try write(result.parameters.flatMap(\.values))
      return
    }
    let element: ElementType =
      result.report.problem.precision == "float64" ? .float64 : .float32
    var arrays = result.parameters.map {
      (name: $0.name, tensor: Tensor($0.values, type: TensorType(element, Shape($0.shape))))
    }
    var texts: [String: String] = [:]
    if let standardisation = result.report.standardisation {
      arrays += result.ofGivenColumns.map {
        (
          name: "given." + $0.name,
          tensor: Tensor($0.values, type: TensorType(.float64, Shape($0.shape)))
        )
      }
      for (name, values) in [
        ("mean", standardisation.means), ("deviation", standardisation.deviations),
      ] {
        arrays.append(
          ("standardise." + name, Tensor(values, type: TensorType(.float64, [values.count]))))
      }
      texts["standardise.columns"] = try OrderedJSON.string(
        standardisation.columns, indented: false)
      texts["standardise"] =
        "The parameters are of columns less standardise.mean, over standardise.deviation"
        + (result.ofGivenColumns.isEmpty
          ? "." : "; those that begin with given. of the columns as given.")
    }
    try SafetensorsFile.write(arrays, metadata: texts, to: saved)
  }

  /// The arrays of the file of rates, by name.
  func rateFactors() throws -> [String: Tensor] {
    guard let file = rules.rateFile else { return [:] }
    try ProblemSource.checkFile(file)
    let source = try openTensors(file, target: "")
    return Dictionary(
      uniqueKeysWithValues: try source.keys.map { ($0, try source.tensor($0)) })
  }

  /// The samples of a file that are held out.
  ///
  /// - Throws: `DiagnosisFailure` where they are of another form than those that are trained on.
  func openHeldOut(beside training: DiagnosisProblem) throws -> DiagnosisProblem? {
    guard case .file(let file)? = heldOut else { return nil }
    switch problem {
    case .table(var table):
      table.file = file
      try ProblemSource.checkFile(file)
      let (given, other) = (
        try TabularProblem(table, seed: resources.seed), try trainingTable()
      )
      let names = Set(given.featureNames).symmetricDifference(other.featureNames)
      guard names.isEmpty, given.featureNames == other.featureNames,
        given.classLabels == other.classLabels
      else {
        let what =
          names.isEmpty
          ? (given.classLabels == other.classLabels
            ? "its columns are in another order" : "its classes are others")
          : "the \(names.count == 1 ? "column" : "columns") "
            + Wording.list(names.sorted().map { "'\($0)'" })
            + " \(names.count == 1 ? "is" : "are") in one of the two alone"
        throw DiagnosisFailure(
          .badData,
          "\(file) cannot be held out beside \(training.name): \(what) (a column of words has one for each "
            + "word); put the rows into one table and hold a share of it out, as \(option: .heldOut, "0.2")."
        )
      }
      return DiagnosisProblem(given)
    case .model(var model):
      model.data = file
      (model.samples, model.saved) = (nil, nil)
      return try DiagnosisProblem(opening: .model(model), resources: resources)
    case .memory: return nil
    }
  }

  private func trainingTable() throws -> TabularProblem {
    guard case .table(let table) = problem else { preconditionFailure("the problem is no table") }
    return try TabularProblem(table, seed: resources.seed)
  }
}
