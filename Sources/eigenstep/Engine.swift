import Diagnosis
import Foundation
import LinearMaps
import Problems
import OnnxBackend
import Presentation
import TensorFiles
import TensorPrograms

/// The engine behind `diagnose` and `spectrum`: reads the file, chooses an executor, and measures.
enum Engine {
  static let run: DiagnosisRun = { request, context in
    try open(request, context) { problem, executor in
      try diagnose(problem, request: request, executor: executor, context: context)
    }
  }

  static let spectrum: SpectrumRun = { request, context in
    // A quarter is the model's values'; the data lie beside them.
    let (whole, overflows) = request.problem.memory.multipliedReportingOverflow(by: 4)
    return try open(request.problem, dataMemory: overflows ? .max : whole, context) {
      problem, executor in
      try measureSpectrum(
        of: problem, request: request, executor: executor, context: context)
    }
  }

  private static func open<Result>(
    _ request: DiagnosisRequest, dataMemory: Int? = nil,
    _ context: RunContext,
    _ measure: (DiagnosisProblem, any Executor) throws -> Result
  ) throws -> Result {
    context.report("reading \(request.file)")
    var problem = try request.problem(memory: dataMemory ?? request.memory)
    let executor = try executor(for: request, notes: &problem.notes)
    do {
      let result = try measure(problem, executor)
      if let path = request.profile { LateFailures.noting { try write(executor, path) } }
      return result
    } catch let error as OnnxRuntimeError
      where request.modelFile != nil && "\(error)".contains("out of data bounds")
    {
      throw DiagnosisFailure(
        .badData,
        "\(request.modelFile?.data ?? request.file): an index lies outside of the table that the "
          + "model looks it up in; mend the data. \(error)")
    } catch let error as ProgramError {
      throw DiagnosisFailure(.software, "The model could not be built: \(error)")
    }
  }

  private static func write(_ executor: any Executor, _ path: String) throws {
    guard let profile = try (executor as? OnnxExecutor)?.profile() else { return }
    try JSONDestination.file(path).write(OrderedJSON.string(profile) + "\n")
  }

  /// One pool of threads owns the cores: while ONNX Runtime's spins, linear algebra takes one thread.
  private static func executor(
    for request: DiagnosisRequest, notes: inout [String]
  ) throws -> any Executor {
    if request.executor != .reference {
      do {
        try OnnxRuntime.configure(threads: request.threads)
        let executor = try OnnxExecutor(isProfiled: request.profile != nil)
        LinearAlgebraThreads.set(1)
        return executor
      } catch let error as OnnxRuntimeError {
        // A library that is merely absent has a substitute; a broken one that was asked for has not.
        guard request.executor == .automatic, request.profile == nil, case .notFound = error else {
          throw error
        }
        notes.append(
          "ONNX Runtime was not found, so the slower reference interpreter ran the model; "
            + "'eigenstep doctor' says where it was looked for.")
      }
    }
    if let threads = request.threads { LinearAlgebraThreads.set(threads) }
    return ReferenceExecutor()
  }
}

extension DiagnosisRequest {
  /// The problem that the request describes.
  ///
  /// - Parameter memory: bytes that a model's data may take.
  fileprivate func problem(memory: Int) throws -> DiagnosisProblem {
    guard let modelFile else { return try DiagnosisProblem(TabularProblem(self)) }
    return try DiagnosisProblem(
      onnx: file, options: modelFile, element: precision == .float64 ? .float64 : .float32, l2: l2,
      seed: seed, memory: memory)
  }
}

extension TabularProblem {
  /// Refuses a network whose parameters, with the handful of vectors of their length that training and
  /// curvature take, are more than the machine's memory.
  private static func requireRoom(for widths: [Int]) throws {
    let parameters = zip(widths, widths.dropFirst())
      .reduce(0.0) { $0 + (Double($1.0) + 1) * Double($1.1) }
    guard parameters * 8 * 16 <= Double(ProcessInfo.processInfo.physicalMemory) else {
      throw DiagnosisFailure(
        .usage,
        "The model has \(Wording.number(parameters)) parameters, too many for this machine's memory; "
          + "give --model smaller widths.")
    }
  }

  /// The problem that the request describes.
  ///
  /// - Throws: `TableError` for a table that cannot be used, `DiagnosisFailure` for options that do not
  ///   go with it.
  fileprivate init(_ request: DiagnosisRequest) throws {
    let kind: TabularData.TargetKind =
      switch request.model {
      case .linear: .numeric
      case .softmax: .classes
      case .mlp, nil:
        switch request.loss {
        case .crossEntropy: .classes
        case .halfSquaredError, .meanSquaredError: .numeric
        case nil: .automatic
        }
      }
    let data = try TabularData(
      table: Table(contentsOfCSV: request.file), target: request.target,
      features: request.features.isEmpty ? nil : request.features, drop: request.dropped,
      missing: request.missing == .mean ? .mean : .refuse, targetKind: kind)
    let target: Target
    switch data.target {
    case .numeric(_, let values): target = .numeric(values)
    case .classes(_, let labels, let indices): target = .classes(indices, count: labels.count)
    }
    let isClasses = if case .classes = target { true } else { false }
    if case .mlp(let hidden, _)? = request.model {
      let outputs = if case .classes(_, let count) = target { count } else { 1 }
      try Self.requireRoom(for: [data.featureNames.count] + hidden + [outputs])
    }
    self.init(
      name: request.file.split(separator: "/").last.map(String.init) ?? request.file,
      targetName: request.target, features: data.features, featureNames: data.featureNames,
      target: target, model: request.model ?? (isClasses ? .softmax : .linear),
      loss: request.loss ?? (isClasses ? .crossEntropy : .halfSquaredError), l2: request.l2,
      seed: request.seed, notes: data.notes)
  }
}
