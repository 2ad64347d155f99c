import Diagnosis
import Foundation
import TensorFiles

extension DiagnosisProblem {
  /// The table or model file that a request names.
  ///
  /// - Parameter memory: bytes that a model's data may take; by default what `resources` allow.
  /// - Throws: `DiagnosisFailure` for a file that is not there; `TableError`, `ArrayFileError`,
  ///   `OnnxModelError`: each one sentence with the offending name and the next step.
  public init(opening source: ProblemSource, resources: Resources = Resources()) throws {
    try source.checkFiles()
    switch source {
    case .table(let table):
      let given = try TabularProblem(table, seed: resources.seed)
      self.init(table.standardised ? given.standardised() : given)
      if let start = table.start { try begin(at: start) }
    case .model(let model):
      try self.init(
        model, element: resources.precision.map { $0 == .float64 ? .float64 : .float32 },
        seed: resources.seed, memory: resources.memory)
    case .memory(let name):
      throw DiagnosisFailure(
        .usage,
        "The problem '\(name)' was held in memory by the program that diagnosed it, and cannot be opened; "
          + "name a table or a model file.")
    }
    // A model file is traced in one precision; what float32 leaves open is solved in the other.
    if case .model(let model) = source {
      inFloat64 = {
        try DiagnosisProblem(
          model, element: .float64, seed: resources.seed, memory: resources.memory)
      }
    }
  }
}

extension DiagnosisProblem {
  /// Takes the start from a file of arrays by the names of parameters.
  ///
  /// - Throws: `DiagnosisFailure` for an array of another shape; `ArrayFileError` where there is none.
  mutating func begin(at file: String) throws {
    let source = try openTensors(file)
    start = try parameters.flatMap { parameter in
      let given = try source.tensor(parameter.name)
      guard given.shape == parameter.shape else {
        throw DiagnosisFailure(
          .badData,
          "\(file): the array '\(parameter.name)' has the shape \(given.shape), and the model's has "
            + "\(parameter.shape); give one number for each of its own.")
      }
      return given.doubles
    }
  }
}

extension ProblemSource {
  /// The files that are read, beside those that a model's tensors lie in.
  public var files: [String] {
    switch self {
    case .table(let table): [table.file] + (table.start.map { [$0] } ?? [])
    case .model(let model): [model.file] + (model.data.map { [$0] } ?? [])
    case .memory: []
    }
  }

  /// - Throws: `DiagnosisFailure` where there is no file to read.
  public func checkFiles() throws {
    for path in files { try Self.checkFile(path) }
  }

  package static func checkFile(_ path: String) throws {
    if HeldFile.named(path) != nil { return }
    var isDirectory: ObjCBool = false
    guard FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory) else {
      throw DiagnosisFailure(.noInput, "There is no file '\(path)'; check the path.")
    }
    if isDirectory.boolValue {
      throw DiagnosisFailure(.noInput, "'\(path)' is a folder; give the path of a file in it.")
    }
    guard FileManager.default.isReadableFile(atPath: path) else {
      throw DiagnosisFailure(
        .noInput, "The file '\(path)' may not be read; check its permissions.")
    }
  }
}
