/// Something that turns programs into runnable form.
public protocol Executor: Sendable {
  /// The name a person chooses it by, for example `reference`.
  var name: String { get }

  /// - Throws: where the executor has no kernel for one of the program's primitives at its type, with
  ///   the primitive's name.
  func compile(_ program: Program) throws -> any Executable

  /// Copies a tensor into memory that runs of this executor read without a further copy.
  func keep(_ tensor: Tensor) throws -> any ResidentValue
}

/// A program ready to run.
public protocol Executable: AnyObject {
  var program: Program { get }

  /// Runs the program once.
  ///
  /// - Parameters:
  ///   - inputs: one argument per program input, of exactly its type.
  ///   - destinations: where each output goes.
  /// - Returns: one argument per output: the tensor, the resident value, or the view that was filled.
  /// - Throws: what the runtime reports, or `CancellationError`.
  func run(_ inputs: [Argument], into destinations: [Destination]) throws -> [Argument]

  /// Fixes the arguments of a run that is repeated: each call reads the inputs and fills the views anew.
  ///
  /// - Parameter outputs: one view per program output.
  func prepare(_ inputs: [Argument], into outputs: [TensorView]) throws -> any PreparedRun
}

/// A run with its arguments fixed. The memory of its views must outlive it.
public protocol PreparedRun: AnyObject {
  func run() throws
}

extension Executable {
  public func prepare(
    _ inputs: [Argument], into outputs: [TensorView]
  ) throws -> any PreparedRun {
    RepeatedRun(executable: self, inputs: inputs, destinations: outputs.map { .view($0) })
  }
}

private final class RepeatedRun: PreparedRun {
  private let executable: any Executable
  private let inputs: [Argument]
  private let destinations: [Destination]

  init(executable: any Executable, inputs: [Argument], destinations: [Destination]) {
    self.executable = executable
    self.inputs = inputs
    self.destinations = destinations
  }

  func run() throws { _ = try executable.run(inputs, into: destinations) }
}

/// Memory of the caller's, seen as a tensor. The caller keeps it alive and unaliased during a run.
public struct TensorView {
  public var pointer: UnsafeMutableRawPointer
  public var type: TensorType

  public init(_ pointer: UnsafeMutableRawPointer, type: TensorType) {
    self.pointer = pointer
    self.type = type
  }

  public func copied() -> Tensor { Tensor(copying: pointer, type: type) }
}

/// A value that an executor keeps in its own memory, for use in later runs of the same executor.
public protocol ResidentValue: AnyObject {
  var type: TensorType { get }
  func tensor() throws -> Tensor
}

/// What a program input is read from, and what an output came back as.
public enum Argument {
  case tensor(Tensor)
  case view(TensorView)
  case resident(any ResidentValue)

  public var type: TensorType {
    switch self {
    case .tensor(let tensor): tensor.type
    case .view(let view): view.type
    case .resident(let value): value.type
    }
  }

  /// The value as a tensor, copied out of memory that is not the tensor's own.
  public func tensor() throws -> Tensor {
    switch self {
    case .tensor(let tensor): tensor
    case .view(let view): view.copied()
    case .resident(let value): try value.tensor()
    }
  }
}

/// Where a program output is to go.
public enum Destination {
  /// A new tensor.
  case tensor
  /// The caller's memory, written in place.
  case view(TensorView)
  /// The executor's memory.
  case resident
}

extension Executable {
  /// Runs the program on tensors and returns tensors.
  public func run(_ inputs: [Tensor]) throws -> [Tensor] {
    try run(
      inputs.map { .tensor($0) }, into: program.outputs.map { _ in .tensor }
    ).map { try $0.tensor() }
  }
}
