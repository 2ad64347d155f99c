import Foundation

/// The process's one ONNX Runtime: one library, one environment, one pool of threads.
public enum OnnxRuntime {
  /// Chooses the threads before the first use; later only the same choice is accepted.
  ///
  /// `threads` of the pool that all sessions share; nil for one per processor this process may
  /// use. `spinning` lets idle threads wait actively, which makes small calls faster and takes
  /// time from whatever else runs. Throws `configuredTooLate` after the first use.
  public static func configure(threads: Int?, spinning: Bool = true) throws {
    precondition((threads ?? 1) >= 1, "a pool needs at least one thread, not \(threads ?? 0)")
    try state.configure(threads: threads ?? processors, spinning: spinning)
  }

  /// The library and environment, loaded at the first call; a failure is tried anew next time.
  static func environment() throws -> OnnxEnvironment { try state.environment() }

  /// The loaded library; throws one of the three failures of loading.
  public static func library() throws -> OnnxRuntimeLibrary { try environment().library }

  /// Threads in the pool, as configured or by default.
  public static var threads: Int { state.threads }

  private static var processors: Int { max(1, ProcessInfo.processInfo.activeProcessorCount) }
  private static let state = State(threads: processors)

  // Unchecked: every access to the mutable fields holds the lock.
  private final class State: @unchecked Sendable {
    private let lock = NSLock()
    private var poolThreads: Int
    private var spinning = true
    private var loaded: OnnxEnvironment?

    init(threads: Int) { poolThreads = threads }

    var threads: Int { lock.withLock { poolThreads } }

    func configure(threads: Int, spinning: Bool) throws {
      try lock.withLock {
        if loaded != nil, (threads, spinning) != (poolThreads, self.spinning) {
          throw OnnxRuntimeError.configuredTooLate
        }
        (poolThreads, self.spinning) = (threads, spinning)
      }
    }

    func environment() throws -> OnnxEnvironment {
      try lock.withLock {
        if let loaded { return loaded }
        let environment = try OnnxEnvironment(
          library: .load(), threads: poolThreads, spinning: spinning)
        loaded = environment
        return environment
      }
    }
  }
}
