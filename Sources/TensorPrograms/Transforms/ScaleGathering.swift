extension Program {
  /// Rewrites chains of products of an unknown value with known factors, `((u a) b) c`, as one product
  /// `u (a b c)` whose factor is known, so that partial evaluation hoists it.
  ///
  /// Second derivatives are full of such chains; each application of the linear program then makes one
  /// pass over the data instead of one per factor.
  func gatheringScales(unknown: [Bool]) -> Program {
    /// An unknown value `base * factor`, not yet multiplied out.
    struct Scaled {
      var base: Traced
      var factor: Traced
    }
    return .build(inputTypes) { builder, arguments in
      var isUnknown = [Bool](repeating: false, count: types.count)
      var values = [Traced?](repeating: nil, count: types.count)
      var scaled = [Scaled?](repeating: nil, count: types.count)
      for (index, input) in inputs.enumerated() {
        isUnknown[input.index] = unknown[index]
        values[input.index] = arguments[index]
      }
      func value(_ variable: Variable) -> Traced {
        if let value = values[variable.index] { return value }
        let product = scaled[variable.index]!
        let value = product.base * product.factor
        values[variable.index] = value
        return value
      }
      func multiply(_ operand: Variable, by factor: Traced, into result: Variable) {
        if let inner = scaled[operand.index] {
          scaled[result.index] = Scaled(base: inner.base, factor: inner.factor * factor)
        } else {
          scaled[result.index] = Scaled(base: value(operand), factor: factor)
        }
      }
      for equation in equations {
        builder.source = equation.source
        let moving = equation.operands.map { isUnknown[$0.index] }
        for result in equation.results { isUnknown[result.index] = moving.contains(true) }
        let result = equation.results[0]
        switch equation.primitive {
        case .binary(.multiply) where moving == [true, false]:
          multiply(equation.operands[0], by: value(equation.operands[1]), into: result)
        case .binary(.multiply) where moving == [false, true]:
          multiply(equation.operands[1], by: value(equation.operands[0]), into: result)
        case .binary(.divide) where moving == [true, false]:
          multiply(
            equation.operands[0], by: value(equation.operands[1]).reciprocal(), into: result)
        case .unary(.negate) where moving == [true] && scaled[equation.operands[0].index] != nil:
          let inner = scaled[equation.operands[0].index]!
          scaled[result.index] = Scaled(base: inner.base, factor: -inner.factor)
        case .scan(var scan):
          scan.body = scan.body.gatheringScales(unknown: scan.unknownInputs(moving))
          let results = builder.emit(.scan(scan), equation.operands.map(value))
          for (result, value) in zip(equation.results, results) { values[result.index] = value }
        default:
          let results = builder.emit(equation.primitive, equation.operands.map(value))
          for (result, value) in zip(equation.results, results) { values[result.index] = value }
        }
      }
      return outputs.map(value)
    }
  }
}
