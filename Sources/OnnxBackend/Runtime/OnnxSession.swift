import COnnxRuntime
import Foundation

/// A model made ready to run: `outputs = graph(inputs)`, both in the order of the names given.
// Unchecked: a session is immutable once made, and ONNX Runtime runs it from any thread.
final class OnnxSession: @unchecked Sendable {
  let environment: OnnxEnvironment
  private let handle: OpaquePointer
  private let inputNames: CStringArray
  private let outputNames: CStringArray

  /// How far ONNX Runtime rewrites the graph before running it.
  enum Optimization: Sendable {
    case none, basic, extended, all

    fileprivate var level: Int32 {
      switch self {
      case .none: Int32(ort_optimize_none)
      case .basic: Int32(ort_optimize_basic)
      case .extended: Int32(ort_optimize_extended)
      case .all: Int32(ort_optimize_all)
      }
    }
  }

  init(
    environment: OnnxEnvironment, model: Data, inputs: [String], outputs: [String],
    optimization: Optimization = .all, configuration: [String: String] = [:],
    profilePrefix: String? = nil
  ) throws {
    let library = environment.library
    let table = library.table
    var options: OpaquePointer?
    try library.check(ort_create_session_options(table, &options), "creating session options")
    defer { ort_release_session_options(table, options) }
    try library.check(ort_disable_per_session_threads(table, options), "sharing the threads")
    try library.check(
      ort_set_optimization_level(table, options, optimization.level), "setting optimization")
    try library.check(
      ort_set_session_log_level(table, options, Int32(ort_log_fatal)), "setting the log level")
    for (key, value) in configuration {
      try library.check(
        ort_add_session_config_entry(table, options, key, value), "setting \(key)")
    }
    if let profilePrefix {
      try library.check(
        ort_enable_profiling(table, options, profilePrefix), "starting a profile")
    }
    var handle: OpaquePointer?
    try model.withUnsafeBytes { bytes in
      try library.check(
        ort_create_session_from_array(
          table, environment.handle, bytes.baseAddress, bytes.count, options, &handle),
        "building a session of \(bytes.count) bytes")
    }
    self.environment = environment
    self.handle = handle!
    self.inputNames = CStringArray(inputs)
    self.outputNames = CStringArray(outputs)
    try requireCounts(inputs.count, outputs.count)
  }

  deinit { ort_release_session(environment.library.table, handle) }

  /// Runs into `outputs`: a given value is written in place, a nil one is allocated.
  func run(
    inputs: [OnnxValue], outputs: [OnnxValue?], options: RunOptions? = nil
  ) throws -> [OnnxValue] {
    var results = outputs.map { $0?.handle }
    try run(inputs: inputs.map(\.handle), outputs: &results, options: options)
    return zip(outputs, results).map { given, result in
      given ?? OnnxValue(owning: result!, environment: environment)
    }
  }

  /// The same on bare handles, which the caller keeps alive.
  func run(
    inputs: [OpaquePointer?], outputs: inout [OpaquePointer?], options: RunOptions?
  ) throws {
    precondition(
      inputs.count == inputNames.count && outputs.count == outputNames.count,
      "a session of \(inputNames.count) inputs and \(outputNames.count) outputs was given "
        + "\(inputs.count) and \(outputs.count)")
    let status = ort_run(
      environment.library.table, handle, options?.handle,
      inputNames.pointers, inputs, inputs.count,
      outputNames.pointers, outputs.count, &outputs)
    if status != nil, let options, options.isTerminated {
      ort_release_status(environment.library.table, status)
      throw OnnxRuntimeError.terminated
    }
    try environment.library.check(status, "running a graph")
  }

  /// Ends the profile that the session was made with and returns the path of its events.
  func endProfile() throws -> String {
    let table = environment.library.table
    var name: UnsafeMutablePointer<CChar>?
    try environment.library.check(
      ort_session_end_profiling(table, handle, environment.allocator, &name), "ending a profile")
    defer { _ = ort_allocator_free(table, environment.allocator, name) }
    return name.map { String(cString: $0) } ?? ""
  }

  private func requireCounts(_ inputs: Int, _ outputs: Int) throws {
    let library = environment.library
    var (foundInputs, foundOutputs) = (0, 0)
    try library.check(
      ort_session_input_count(library.table, handle, &foundInputs), "counting inputs")
    try library.check(
      ort_session_output_count(library.table, handle, &foundOutputs), "counting outputs")
    precondition(
      (foundInputs, foundOutputs) == (inputs, outputs),
      "the graph has \(foundInputs) inputs and \(foundOutputs) outputs, "
        + "not \(inputs) and \(outputs)")
  }
}

/// Names as C wants them, alive as long as the session.
private final class CStringArray {
  let count: Int
  let pointers: UnsafeMutablePointer<UnsafePointer<CChar>?>

  init(_ strings: [String]) {
    count = strings.count
    pointers = .allocate(capacity: max(1, strings.count))
    for (index, string) in strings.enumerated() {
      (pointers + index).initialize(to: UnsafePointer(strdup(string)))
    }
  }

  deinit {
    for index in 0..<count { free(UnsafeMutablePointer(mutating: pointers[index])) }
    pointers.deallocate()
  }
}
