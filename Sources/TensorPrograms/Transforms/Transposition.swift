extension Program {
  /// The transpose of a linear program: from the known inputs and a cotangent per floating-point
  /// output, the cotangents of the inputs marked linear (`A' c` for `y = A x`).
  ///
  /// - Parameter linear: for each input, whether the program is linear in it; the other inputs are
  ///   parameters of the linear map.
  /// - Precondition: the outputs are jointly linear in the marked inputs.
  public func transposed(linear: [Bool]) -> Program {
    let known = inputs.indices.filter { !linear[$0] }
    let seeded = outputs.filter { type(of: $0).element.isFloating }
    return .build(known.map { inputTypes[$0] } + seeded.map(type(of:))) { arguments in
      let builder = arguments.builder
      var values = [Traced?](repeating: nil, count: types.count)
      var cotangents = values
      for (position, argument) in zip(known, arguments) {
        values[inputs[position].index] = argument
      }
      // What does not depend on a linear input is computed forwards.
      var isLinear = [Bool](repeating: false, count: types.count)
      for (input, flag) in zip(inputs, linear) { isLinear[input.index] = flag }
      for equation in equations {
        builder.source = equation.source
        if equation.operands.contains(where: { isLinear[$0.index] }) {
          for result in equation.results { isLinear[result.index] = true }
        } else {
          let results = builder.emit(
            equation.primitive, equation.operands.map { values[$0.index]! })
          for (result, value) in zip(equation.results, results) { values[result.index] = value }
        }
      }
      for (output, seed) in zip(seeded, arguments.dropFirst(known.count)) {
        cotangents[output.index] = sum(cotangents[output.index], seed)
      }
      for equation in equations.reversed() where isLinear[equation.results[0].index] {
        let seeds = equation.results.map { cotangents[$0.index] }
        guard seeds.contains(where: { $0 != nil }) else { continue }
        builder.source = equation.source
        let operands = equation.operands.map { operand -> TransposeOperand in
          isLinear[operand.index] ? .linear(type(of: operand)) : .known(values[operand.index]!)
        }
        let results = equation.primitive.transpose(operands, seeds)
        for (operand, result) in zip(equation.operands, results) {
          cotangents[operand.index] = sum(cotangents[operand.index], result)
        }
      }
      return inputs.indices.filter { linear[$0] }.map { position in
        cotangents[inputs[position].index] ?? builder.full(0, inputTypes[position])
      }
    }
  }
}
