import COnnxRuntime
import Foundation

/// A handle by which another thread can stop a run.
// Unchecked: ONNX Runtime's flag may be set from any thread, and the lock guards our own.
final class RunOptions: @unchecked Sendable {
  private let environment: OnnxEnvironment
  let handle: OpaquePointer
  private let lock = NSLock()
  private var terminated = false

  init(environment: OnnxEnvironment) throws {
    var handle: OpaquePointer?
    try environment.library.check(
      ort_create_run_options(environment.library.table, &handle), "creating run options")
    self.environment = environment
    self.handle = handle!
  }

  deinit { ort_release_run_options(environment.library.table, handle) }

  var isTerminated: Bool { lock.withLock { terminated } }

  /// Stops runs under these options before their next node, and those not yet started.
  func terminate() throws {
    try lock.withLock {
      terminated = true
      try environment.library.check(
        ort_set_terminate(environment.library.table, handle), "stopping a run")
    }
  }

  /// Lets runs under these options go again.
  func resume() throws {
    try lock.withLock {
      terminated = false
      try environment.library.check(
        ort_unset_terminate(environment.library.table, handle), "allowing runs again")
    }
  }
}
