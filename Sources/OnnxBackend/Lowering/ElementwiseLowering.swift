import TensorPrograms

/// Elementwise primitives. ONNX broadcasts their operands, so nothing pending is settled here.
extension ProgramLowering {
  mutating func unary(
    _ function: UnaryFunction, _ x: LoweredValue, _ element: ElementType
  ) -> LoweredValue {
    let result = elementwise(function, x.name, element)
    return LoweredValue(name: result, dimensions: x.dimensions, axes: x.axes)
  }

  private mutating func elementwise(
    _ function: UnaryFunction, _ x: String, _ element: ElementType
  ) -> String {
    let isDouble = element == .float64
    return switch function {
    case .negate: builder.node("Neg", [x])
    case .absolute: builder.node("Abs", [x])
    case .sign: builder.node("Sign", [x])
    case .floor: builder.node("Floor", [x])
    case .ceil: builder.node("Ceil", [x])
    case .round: builder.node("Round", [x])
    case .exp: builder.node("Exp", [x])
    case .log: builder.node("Log", [x])
    case .expm1: expm1(x, element)
    case .log1p: log1p(x, element)
    case .sqrt: builder.node("Sqrt", [x])
    case .square: builder.node("Mul", [x, x])
    case .reciprocal: builder.node("Reciprocal", [x])
    case .sin: builder.node("Sin", [x])
    case .cos: builder.node("Cos", [x])
    case .tan: isDouble ? float64Tan(x) : builder.node("Tan", [x])
    case .asin: isDouble ? float64Asin(x) : builder.node("Asin", [x])
    case .acos: isDouble ? float64Acos(x) : builder.node("Acos", [x])
    case .atan: isDouble ? float64Atan(x) : builder.node("Atan", [x])
    case .sinh: isDouble ? float64Sinh(x) : builder.node("Sinh", [x])
    case .cosh: isDouble ? float64Cosh(x) : builder.node("Cosh", [x])
    case .tanh: builder.node("Tanh", [x])
    case .sigmoid: isDouble ? float64Sigmoid(x) : builder.node("Sigmoid", [x])
    case .erf: isDouble ? float64Erf(x) : builder.node("Erf", [x])
    case .relu: builder.node("Relu", [x])
    case .softplus: isDouble ? float64Softplus(x) : builder.node("Softplus", [x])
    case .not: builder.node("Not", [x])
    }
  }

  mutating func binary(
    _ function: BinaryFunction, _ operands: [LoweredValue], _ type: TensorType
  ) -> LoweredValue {
    switch function {
    case .add:
      if let fused = addedToProduct(operands) { return fused }
      return combined(["Add"], operands, type.shape)
    case .subtract: return combined(["Sub"], operands, type.shape)
    case .multiply:
      if let fused = scaledProduct(operands) { return fused }
      return combined(["Mul"], operands, type.shape)
    case .divide:
      return type.element.isFloating
        ? combined(["Div"], operands, type.shape)
        : combined(operands, type.shape) { $0.integerQuotient("Div", $1, type.element) }
    case .power: return combined(["Pow"], operands, type.shape)
    case .maximum: return combined(["Max"], operands, type.shape)
    case .minimum: return combined(["Min"], operands, type.shape)
    case .remainder:
      return type.element.isFloating
        ? combined(operands, type.shape) { $0.builder.node("Mod", $1, ["fmod": .int(1)]) }
        : combined(operands, type.shape) { $0.integerQuotient("Mod", $1, type.element) }
    case .and: return combined(["And"], operands, type.shape)
    case .or: return combined(["Or"], operands, type.shape)
    }
  }

  /// A quotient by zero would end the process; here it is 0, where the interpreter throws.
  private mutating func integerQuotient(
    _ operation: String, _ names: [String], _ element: ElementType
  ) -> String {
    let (zero, one) = (scalar(0, element), scalar(1, element))
    let isZero = builder.node("Equal", [names[1], zero])
    let divisor = builder.node("Where", [isZero, one, names[1]])
    let quotient =
      operation == "Mod"
      ? builder.node("Mod", [names[0], divisor], ["fmod": .int(1)])
      : builder.node(operation, [names[0], divisor])
    return builder.node("Where", [isZero, zero, quotient])
  }

  mutating func compare(
    _ comparison: Comparison, _ operands: [LoweredValue], _ type: TensorType
  ) -> LoweredValue {
    var operands = operands
    if type.element == .bool, comparison != .equal, comparison != .notEqual {
      operands = operands.map { convert($0, from: .bool, to: .int32) }
    }
    return switch comparison {
    case .equal: combined(["Equal"], operands, type.shape)
    case .notEqual: combined(["Equal", "Not"], operands, type.shape)
    case .less: combined(["Less"], operands, type.shape)
    case .lessOrEqual: combined(["LessOrEqual"], operands, type.shape)
    case .greater: combined(["Greater"], operands, type.shape)
    case .greaterOrEqual: combined(["GreaterOrEqual"], operands, type.shape)
    }
  }

  mutating func select(_ operands: [LoweredValue], _ type: TensorType) -> LoweredValue {
    guard type.element == .bool else { return combined(["Where"], operands, type.shape) }
    // `Where` has no bool kernel: (c and a) or (not c and b).
    return combined(operands, type.shape) { lowering, names in
      let chosen = lowering.builder.node("And", [names[0], names[1]])
      let inverse = lowering.builder.node("Not", [names[0]])
      let other = lowering.builder.node("And", [inverse, names[2]])
      return lowering.builder.node("Or", [chosen, other])
    }
  }

  mutating func convert(
    _ x: LoweredValue, from: ElementType, to element: ElementType
  ) -> LoweredValue {
    if from == element { return x }
    let type = Int(OnnxElement(element).rawValue)
    var name = builder.node("Cast", [x.name], ["to": .int(type)])
    if from.isFloating, element == .int32 || element == .int64 {
      // C leaves open what becomes of NaN and of numbers beyond the type's greatest.
      let bound = scalar(element == .int32 ? 0x1p31 : 0x1p63, from)
      let isBeyond = builder.node("GreaterOrEqual", [x.name, bound])
      name = builder.node("Where", [isBeyond, greatest(element), name])
      let isNumber = builder.node("Equal", [x.name, x.name])
      name = builder.node("Where", [isNumber, name, scalar(0, element)])
    }
    return LoweredValue(name: name, dimensions: x.dimensions, axes: x.axes)
  }

  private mutating func greatest(_ element: ElementType) -> String {
    tensor(
      element == .int32
        ? Tensor([Int32.max], shape: .scalar) : Tensor([Int64.max], shape: .scalar))
  }

  /// The first operation on the operands, each further one on the result.
  private mutating func combined(
    _ operations: [String], _ operands: [LoweredValue], _ shape: Shape
  ) -> LoweredValue {
    combined(operands, shape) { lowering, names in
      operations.reduce(into: names) { $0 = [lowering.builder.node($1, $0)] }[0]
    }
  }

  mutating func combined(
    _ operands: [LoweredValue], _ shape: Shape,
    _ make: (inout ProgramLowering, [String]) -> String
  ) -> LoweredValue {
    let (values, order) = aligned(operands, shape)
    let name = make(&self, values.map { $0.name })
    return LoweredValue(name: name, dimensions: Self.broadcast(values), axes: order)
  }
}
