import TensorPrograms

/// A program compiled to a session.
final class OnnxExecutable: Executable {
  let program: Program
  private let session: OnnxSession
  private let options: RunOptions
  private let context: RunContext

  init(program: Program, session: OnnxSession, options: RunOptions, context: RunContext) {
    self.context = context
    self.program = program
    self.session = session
    self.options = options
  }

  func run(_ inputs: [Argument], into destinations: [Destination]) throws -> [Argument] {
    precondition(
      inputs.map(\.type) == program.inputTypes,
      "arguments of types \(inputs.map(\.type)) for a program that takes \(program.inputTypes)")
    precondition(
      destinations.count == program.outputs.count,
      "\(destinations.count) destinations for \(program.outputs.count) outputs")
    let outputs = try zip(destinations, program.outputTypes).map { destination, type in
      switch destination {
      case .tensor, .resident: OnnxValue?.none
      case .view(let view): try value(over: view, expected: type)
      }
    }
    let results = try withValues(inputs[...], []) { values in
      try cancellable(context) {
        try session.run(inputs: values, outputs: outputs, options: options)
      }
    }
    return try zip(zip(destinations, results), program.outputTypes).map { pair, type in
      let (destination, result) = pair
      switch destination {
      case .tensor: return .tensor(Tensor(copying: try result.memory(), type: type))
      case .view(let view): return .view(view)
      case .resident: return .resident(OnnxResident(result, type: type))
      }
    }
  }

  func prepare(_ inputs: [Argument], into outputs: [TensorView]) throws -> any PreparedRun {
    precondition(
      inputs.map(\.type) == program.inputTypes && outputs.count == program.outputs.count,
      "arguments that do not fit a program of \(program.inputTypes) to \(program.outputTypes)")
    let inputValues = try inputs.map { argument in
      switch argument {
      case .tensor(let tensor):
        try OnnxResident(copying: tensor, environment: session.environment).value
      case .view(let view): try value(over: view, expected: view.type)
      case .resident(let resident):
        try
          (resident as? OnnxResident
          ?? OnnxResident(copying: resident.tensor(), environment: session.environment)).value
      }
    }
    let outputValues = try zip(outputs, program.outputTypes).map {
      try value(over: $0, expected: $1)
    }
    return OnnxPreparedRun(
      session: session, options: options, context: context, inputs: inputValues,
      outputs: outputValues)
  }

  private func value(over view: TensorView, expected: TensorType) throws -> OnnxValue {
    precondition(view.type == expected, "a view of \(view.type) for a value of \(expected)")
    return try OnnxValue(
      over: view.pointer, shape: view.type.shape.dimensions,
      element: OnnxElement(view.type.element), environment: session.environment)
  }

  /// Calls `body` with the arguments as values; tensors are read in place, so each stays pinned within.
  private func withValues<R>(
    _ arguments: ArraySlice<Argument>, _ values: [OnnxValue], _ body: ([OnnxValue]) throws -> R
  ) throws -> R {
    guard let first = arguments.first else { return try body(values) }
    let rest = arguments.dropFirst()
    switch first {
    case .view(let view):
      return try withValues(rest, values + [value(over: view, expected: view.type)], body)
    case .resident(let resident as OnnxResident):
      return try withValues(rest, values + [resident.value], body)
    case .resident(let other):
      return try withValues([.tensor(other.tensor())] + rest, values, body)
    case .tensor(let tensor) where tensor.shape.count == 0:
      let empty = try OnnxResident(copying: tensor, environment: session.environment)
      return try withValues(rest, values + [empty.value], body)
    case .tensor(let tensor):
      return try tensor.withUnsafeBytes { bytes in
        // Inputs are only read; the C interface has no const view.
        let memory = UnsafeMutableRawPointer(mutating: bytes.baseAddress!)
        let view = TensorView(memory, type: tensor.type)
        return try withValues(rest, values + [value(over: view, expected: view.type)], body)
      }
    }
  }
}

/// A session with its values bound for good.
private final class OnnxPreparedRun: PreparedRun {
  private let session: OnnxSession
  private let options: RunOptions
  private let context: RunContext
  private let values: [OnnxValue]
  private let inputs: [OpaquePointer?]
  private var outputs: [OpaquePointer?]

  init(
    session: OnnxSession, options: RunOptions, context: RunContext, inputs: [OnnxValue],
    outputs: [OnnxValue]
  ) {
    self.context = context
    self.session = session
    self.options = options
    self.values = inputs + outputs
    self.inputs = inputs.map(\.handle)
    self.outputs = outputs.map(\.handle)
  }

  func run() throws {
    try cancellable(context) {
      try withExtendedLifetime(values) {
        try session.run(inputs: inputs, outputs: &outputs, options: options)
      }
    }
  }
}

/// A value in ONNX Runtime's memory.
final class OnnxResident: ResidentValue {
  let value: OnnxValue
  let type: TensorType

  init(_ value: OnnxValue, type: TensorType) {
    self.value = value
    self.type = type
  }

  init(copying tensor: Tensor, environment: OnnxEnvironment) throws {
    type = tensor.type
    value = try OnnxValue(
      shape: tensor.shape.dimensions, element: OnnxElement(tensor.element),
      environment: environment)
    let memory = try value.memory()
    tensor.withUnsafeBytes { bytes in
      guard let start = bytes.baseAddress, bytes.count > 0 else { return }
      memory.copyMemory(from: start, byteCount: bytes.count)
    }
  }

  func tensor() throws -> Tensor { Tensor(copying: try value.memory(), type: type) }
}

/// Runs `body` unless the work is cancelled; a stopped run throws `CancellationError`.
private func cancellable<R>(_ context: RunContext, _ body: () throws -> R) throws -> R {
  try context.checkCancellation()
  do { return try body() } catch OnnxRuntimeError.terminated { throw CancellationError() }
}
