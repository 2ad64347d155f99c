import Diagnosis
import LinearMaps
import OnnxBackend
import TensorPrograms

extension Resources {
  /// Who runs the tensor programs, and what is to be said about the choice.
  ///
  /// One pool of threads owns the cores: while ONNX Runtime's spins, linear algebra takes one thread.
  /// - Throws: `OnnxRuntimeError` where the library was asked for and is missing, or is broken.
  public func makeExecutor() throws -> (executor: any Executor, notes: [String]) {
    var notes: [String] = []
    if executor != .reference {
      do {
        try OnnxRuntime.configure(threads: threads)
        let runtime = try OnnxExecutor(isProfiled: isProfiled)
        LinearAlgebraThreads.set(1)
        return (runtime, notes)
      } catch let error as OnnxRuntimeError {
        // A library that is merely absent has a substitute; a broken one that was asked for has not.
        guard executor == .automatic, !isProfiled, case .notFound = error else { throw error }
        notes.append(
          "ONNX Runtime was not found, so the slower reference interpreter ran the model; "
            + "'eigenstep doctor' says where it was looked for.")
      }
    }
    if let threads { LinearAlgebraThreads.set(threads) }
    return (ReferenceExecutor(), notes)
  }
}
