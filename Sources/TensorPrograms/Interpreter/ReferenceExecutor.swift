/// Interprets programs equation by equation, in the element type that each value has: the executor
/// that is always there, and the one the others are measured against.
public struct ReferenceExecutor: Executor {
  public let name = "reference"

  public init() {}

  /// - Throws: `ProgramError` where the program does not verify.
  public func compile(_ program: Program) throws -> any Executable {
    try program.verify()
    return ReferenceExecutable(program)
  }

  public func keep(_ tensor: Tensor) -> any ResidentValue { ResidentTensor(tensor) }
}

/// What an equation cannot compute from the values it was given.
public enum InterpreterError: Error, Hashable, CustomStringConvertible {
  case indexOutOfRange(primitive: String, index: Int, size: Int)
  case integerDivisionByZero(primitive: String)

  public var description: String {
    switch self {
    case .indexOutOfRange(let primitive, let index, let size):
      "\(primitive): the index \(index) is outside an axis with \(size) entries; indices go from 0 "
        + "to \(size - 1)"
    case .integerDivisionByZero(let primitive):
      "\(primitive): an integer is divided by zero; convert to a floating-point type first"
    }
  }
}

private final class ReferenceExecutable: Executable {
  let program: Program
  private let schedule: Schedule

  init(_ program: Program) {
    self.program = program
    schedule = Schedule(program)
  }

  func run(_ inputs: [Argument], into destinations: [Destination]) throws -> [Argument] {
    precondition(
      inputs.map(\.type) == program.inputTypes,
      "arguments of types \(inputs.map(\.type)) for a program that takes \(program.inputTypes)")
    precondition(
      destinations.count == program.outputs.count,
      "\(destinations.count) destinations for \(program.outputs.count) outputs")
    let outputs = try schedule.run(inputs.map { try $0.tensor() })
    return zip(outputs, destinations).map { output, destination in
      switch destination {
      case .tensor: return .tensor(output)
      case .resident: return .resident(ResidentTensor(output))
      case .view(let view):
        precondition(
          view.type == output.type, "a view of \(view.type) for an output of \(output.type)")
        output.withUnsafeBytes { bytes in
          guard let start = bytes.baseAddress, bytes.count > 0 else { return }
          view.pointer.copyMemory(from: start, byteCount: bytes.count)
        }
        return .view(view)
      }
    }
  }
}

private final class ResidentTensor: ResidentValue {
  private let value: Tensor
  var type: TensorType { value.type }

  init(_ value: Tensor) { self.value = value }
  func tensor() -> Tensor { value }
}

/// A program with, for each equation, the variables that nothing reads after it.
struct Schedule {
  private let program: Program
  private let lastUses: [[Int]]

  init(_ program: Program) {
    self.program = program
    var dead = Set(program.types.indices).subtracting(program.outputs.map(\.index))
    var lastUses = [[Int]](repeating: [], count: program.equations.count)
    for (position, equation) in program.equations.enumerated().reversed() {
      for variable in equation.operands + equation.results
      where dead.remove(variable.index) != nil {
        lastUses[position].append(variable.index)
      }
    }
    self.lastUses = lastUses
  }

  func run(_ inputs: [Tensor]) throws -> [Tensor] {
    var values = [Tensor?](repeating: nil, count: program.types.count)
    for (variable, value) in zip(program.inputs, inputs) { values[variable.index] = value }
    for (equation, dead) in zip(program.equations, lastUses) {
      let results = try evaluate(
        equation.primitive, equation.operands.map { values[$0.index]! },
        resultTypes: equation.results.map(program.type(of:)))
      for (variable, value) in zip(equation.results, results) { values[variable.index] = value }
      for index in dead { values[index] = nil }
    }
    return program.outputs.map { values[$0.index]! }
  }
}
