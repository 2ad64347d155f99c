extension Program {
  /// An equal program with less to compute: common subexpressions shared, constants folded, algebraic
  /// identities applied, transposes folded into dots, sub-programs inlined, dead code dropped.
  ///
  /// Values agree with the original's up to rounding; no identity assumes that a number is finite.
  public func simplified() -> Program {
    var program = self
    for _ in 0..<8 {
      let next = program.rewritten().withoutDeadCode()
      if next == program { break }
      program = next
    }
    return program
  }

  private func rewritten() -> Program {
    .build(inputTypes) { builder, arguments in
      var values = [Traced?](repeating: nil, count: types.count)
      for (input, argument) in zip(inputs, arguments) { values[input.index] = argument }
      var rewriter = Rewriter(builder: builder)
      for equation in equations {
        builder.source = equation.source
        let results = rewriter.emit(
          equation.primitive, equation.operands.map { values[$0.index]! })
        for (result, value) in zip(equation.results, results) { values[result.index] = value }
      }
      return outputs.map { values[$0.index]! }
    }
  }

  func withoutDeadCode() -> Program {
    var isLive = [Bool](repeating: false, count: types.count)
    for output in outputs { isLive[output.index] = true }
    var kept: [Equation] = []
    for var equation in equations.reversed()
    where equation.results.contains(where: { isLive[$0.index] }) {
      if case .scan(let scan) = equation.primitive {
        let (narrower, operands, results) = scan.narrowed(
          to: equation.results.map { isLive[$0.index] })
        equation = Equation(
          primitive: .scan(narrower), operands: operands.map { equation.operands[$0] },
          results: results.map { equation.results[$0] }, source: equation.source)
      }
      for operand in equation.operands { isLive[operand.index] = true }
      kept.append(equation)
    }
    // Renumbering makes equal programs equal values, whatever was dropped on the way.
    var types: [TensorType] = []
    var renamed: [Variable: Variable] = [:]
    func rename(_ variable: Variable) -> Variable {
      if let known = renamed[variable] { return known }
      types.append(type(of: variable))
      let fresh = Variable(types.count - 1)
      renamed[variable] = fresh
      return fresh
    }
    let inputs = self.inputs.map(rename)
    let equations = kept.reversed().map { equation in
      Equation(
        primitive: equation.primitive, operands: equation.operands.map(rename),
        results: equation.results.map(rename), source: equation.source)
    }
    let outputs = self.outputs.map(rename)
    return Program(types: types, inputs: inputs, equations: equations, outputs: outputs)
  }
}
