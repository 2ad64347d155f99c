import TensorPrograms

extension OperatorCatalogue {
  /// Values that are known when the model is read, and conversions of element types.
  static let constants: [OperatorRule] = [
    OperatorRule("Constant") { node in
      if let tensor = try node.tensor("value") { return [node.builder.constant(tensor)] }
      let real = node.importer.reader.floating ?? .float32
      if let value = node.float("value_float") {
        return [node.builder.constant(Tensor(scalar: value, real))]
      }
      if let values = node.floats("value_floats"), !values.isEmpty {
        return [node.builder.constant(Tensor(values, type: TensorType(real, [values.count])))]
      }
      if let value = node.int("value_int") {
        return [node.builder.constant(Tensor([Int64(value)], shape: []))]
      }
      if let values = node.ints("value_ints") {
        return [node.builder.constant(Tensor(values.map(Int64.init), shape: [values.count]))]
      }
      throw node.fail("it holds no dense tensor of numbers")
    },
    OperatorRule("ConstantOfShape", constants: [0]) { node in
      let shape = try node.shape(node.integers(0))
      let value =
        try node.tensor("value")
        ?? Tensor(scalar: 0, node.importer.reader.floating ?? .float32)
      guard value.shape.count == 1 else { throw node.fail("its value must be one number") }
      return [node.builder.constant(value.reshaped([])).broadcast(to: shape)]
    },
    OperatorRule("Shape", constants: OperatorRule.everyInput) { node in
      let sizes = try node.input(0).shape.dimensions
      func place(_ name: String, _ fallback: Int) -> Int {
        let given = node.int(name, fallback)
        return min(max(given < 0 ? given + sizes.count : given, 0), sizes.count)
      }
      let (start, end) = (place("start", 0), place("end", sizes.count))
      let part = start < end ? sizes[start..<end].map(Int64.init) : []
      return [node.builder.constant(Tensor(part, shape: [part.count]))]
    },
    OperatorRule("Size", constants: OperatorRule.everyInput) { node in
      let count = try node.input(0).shape.count
      return [node.builder.constant(Tensor([Int64(count)], shape: []))]
    },
    OperatorRule("Range", constants: OperatorRule.everyInput) { node in
      let start = try node.constant(0)
      let (first, limit, step) = (try node.number(0), try node.number(1), try node.number(2))
      let count = max(0, ((limit - first) / step).rounded(.up))
      guard step != 0, count <= Double(node.foldingLimit) else {
        throw node.fail("from \(first) to \(limit) by \(step) are too many steps")
      }
      let values = (0..<Int(count)).map { first + Double($0) * step }
      return [
        node.builder.constant(Tensor(values, type: TensorType(start.element, [values.count])))
      ]
    },
    OperatorRule("EyeLike", constants: OperatorRule.everyInput) { node in
      let x = try node.input(0)
      guard x.rank == 2 else { throw node.fail("it takes a matrix, not \(x.shape)") }
      let element = try node.int("dtype").map(node.element) ?? x.element
      let rows = x.places(along: 0, element: .int64)
      let columns = x.places(along: 1, element: .int64)
      let isOne = columns.compare(.equal, rows + Double(node.int("k", 0)))
      return [isOne.converted(to: element)]
    },
    OperatorRule("Cast") { node in
      [try node.wrapped(node.input(0), to: node.int("to", 0))]
    },
    OperatorRule("CastLike", constants: [1]) { node in
      [try node.input(0).converted(to: node.input(1).element)]
    },
  ]
}

extension NodeContext {
  /// `x` as the type that ONNX numbers `dataType`; of integers that do not fit its few bits, those bits.
  fileprivate func wrapped(_ x: Traced, to dataType: Int) throws -> Traced {
    let result = x.converted(to: try element(dataType))
    let format = TensorFormat(rawValue: Int32(truncatingIfNeeded: dataType))
    guard x.element == .int32 || x.element == .int64, let format, let range = format.range,
      format != .int32
    else { return result }
    let count = range.upperBound - range.lowerBound + 1
    // The remainder has the dividend's sign.
    let rest = (result - range.lowerBound).binary(.remainder, result.scalar(count))
    return rest.compare(.less, rest.scalar(0)).select(rest + count, rest) + range.lowerBound
  }
}
