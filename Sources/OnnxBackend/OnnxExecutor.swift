import Foundation
import TensorPrograms

/// Runs programs on ONNX Runtime's CPU kernels.
///
/// A compiled program is one session; equal programs share it. Views and resident values are read and
/// written where they lie.
///
/// It differs from the interpreter in corners only: negative indices count from the end instead of
/// throwing, integers divided by zero give 0 instead of throwing, and a maximum over an axis may pass
/// over a NaN.
public final class OnnxExecutor: Executor {
  public let name = "onnxruntime"
  private let environment: OnnxEnvironment
  private let options: RunOptions
  private let context: RunContext
  private let cache: ProgramCache<OnnxSession>
  private let profiler: SessionProfiler?

  /// - Parameters:
  ///   - cacheCapacity: how many compiled programs are remembered, the latest used.
  ///   - context: asked before each run; once cancelled, runs throw `CancellationError`.
  ///   - isProfiled: whether runs are timed node by node, for `profile()`; it slows small programs.
  /// - Throws: `OnnxRuntimeError`, where the library is missing, broken or too old.
  public init(
    cacheCapacity: Int = 64, isProfiled: Bool = false, context: RunContext = .task
  ) throws {
    self.context = context
    environment = try OnnxRuntime.environment()
    options = try RunOptions(environment: environment)
    cache = ProgramCache(capacity: cacheCapacity)
    profiler = isProfiled ? try SessionProfiler() : nil
  }

  /// - Throws: `ProgramError` where the program does not verify; `OnnxRuntimeError` where ONNX Runtime
  ///   refuses the graph, in its words.
  public func compile(_ program: Program) throws -> any Executable {
    let session = try cache.value(for: program) {
      try program.verify()
      let model = try ProgramLowering.lower(program, channelBlock: Self.channelBlock)
      let session = try OnnxSession(
        environment: environment, model: model.bytes, inputs: model.inputNames,
        outputs: model.outputNames, configuration: Self.configuration(program),
        profilePrefix: profiler?.prefix)
      profiler?.add(session)
      return session
    }
    return OnnxExecutable(
      program: program, session: session, options: options, context: context)
  }

  /// One search per process.
  private static let channelBlock = (try? OnnxRuntime.environment()).flatMap(ChannelBlock.find)

  /// ONNX Runtime moves a constant factor into the matrix product beside it as an attribute, which is a
  /// float32 whatever the product's type: a float64 one came out 4e-8 wrong.
  private static func configuration(_ program: Program) -> [String: String] {
    program.types.contains { $0.element == .float64 }
      ? ["optimization.disable_specified_optimizers": "MatMulScaleFusion"] : [:]
  }

  public func keep(_ tensor: Tensor) throws -> any ResidentValue {
    try OnnxResident(copying: tensor, environment: environment)
  }

  /// Where the time of all runs so far went; nil unless the executor was made to be profiled. Ends the
  /// profile: later runs of the programs compiled so far are not timed.
  ///
  /// - Throws: `OnnxRuntimeError`; what reading the events throws.
  public func profile() throws -> ExecutionProfile? { try profiler?.profile() }

  /// Stops every run of this executor, and those to come until `resume()`, from any thread: they throw
  /// `CancellationError`.
  public func cancel() { try? options.terminate() }

  /// Allows runs again after `cancel()`.
  public func resume() { try? options.resume() }
}
