import TensorPrograms

/// A loop as ONNX's `Scan`. The body reads constants where they lie outside of it.
extension ProgramLowering {
  mutating func scan(
    _ scan: Scan, _ operands: [LoweredValue], _ types: [TensorType], _ results: [TensorType]
  ) throws -> [LoweredValue] {
    let carries = scan.operands(.carry)
    if scan.length == 0 {
      return operands[carries] + results.dropFirst(carries.count).map { empty($0) }
    }
    var given = (carries.lowerBound..<operands.count).map { index in
      exact(operands[index], types[index].shape).name
    }
    // ONNX counts the steps by a stacked input.
    let counter = TensorType(.int32, [scan.length])
    if given.count == carries.count { given.append(empty(counter).name) }
    let body = scan.body
    let attribute = try inBody { lowering in
      let inputs = body.inputs.indices.map { index -> LoweredValue in
        guard index >= carries.lowerBound else { return operands[index] }
        return lowering.input(body.inputTypes[index])
      }
      if given.count > body.inputs.count - carries.lowerBound {
        _ = lowering.input(TensorType(.int32, []))
      }
      for (value, type) in zip(try lowering.lower(body, inputs), body.outputTypes) {
        lowering.output(value, type)
      }
      return lowering.builder.endBody()
    }
    let directions = { (count: Int) in
      GraphBuilder.Attribute.ints([Int](repeating: scan.isReversed ? 1 : 0, count: count))
    }
    let stackedCount = given.count - carries.count
    let names = builder.addNode(
      "Scan", given,
      [
        "body": attribute, "num_scan_inputs": .int(stackedCount),
        "scan_input_directions": directions(stackedCount),
        "scan_output_directions": directions(results.count - carries.count),
      ], outputCount: results.count)
    return zip(names, results).map { name, type in
      LoweredValue(name: name, dimensions: type.shape.dimensions, axes: type.shape.wideAxes)
    }
  }

  /// An input of the graph under construction.
  mutating func input(_ type: TensorType) -> LoweredValue {
    LoweredValue(
      name: builder.input(OnnxElement(type.element), type.shape.dimensions),
      dimensions: type.shape.dimensions, axes: type.shape.wideAxes)
  }

  /// Makes `value` an output of the graph under construction.
  mutating func output(_ value: LoweredValue, _ type: TensorType) {
    let settled = type.shape.count == 0 ? empty(type) : exact(value, type.shape)
    builder.output(settled.name, OnnxElement(type.element), type.shape.dimensions)
  }
}
