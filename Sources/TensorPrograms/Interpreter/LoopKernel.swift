/// A loop, its body scheduled once.
func looped(_ scan: Scan, _ operands: [Tensor], resultTypes: [TensorType]) throws -> [Tensor] {
  let schedule = Schedule(scan.body)
  var carries = Array(operands[scan.operands(.carry)])
  let stacks = Array(operands[scan.operands(.stacked)])
  let sliceTypes = scan.body.inputTypes[scan.operands(.stacked)]
  var outputs = [[Tensor]](repeating: [], count: scan.outputCount)
  for step in 0..<scan.length {
    let index = scan.isReversed ? scan.length - 1 - step : step
    let slices = zip(stacks, sliceTypes).map { stack, type in
      read(
        stack, as: type.shape, offset: index * type.shape.count, strides: type.shape.strides)
    }
    let results = try schedule.run(operands[scan.operands(.constant)] + carries + slices)
    carries = Array(results.prefix(scan.carryCount))
    for (output, result) in results.dropFirst(scan.carryCount).enumerated() {
      outputs[output].append(result.reshaped(result.shape.inserting(1, at: 0)))
    }
  }
  return carries
    + zip(outputs, resultTypes.dropFirst(scan.carryCount)).map { steps, type in
      if steps.isEmpty { return Tensor(repeating: 0, type: type) }
      return concatenated(
        scan.isReversed ? steps.reversed() : steps, axis: 0, shape: type.shape)
    }
}
