extension Program {
  /// Rewrites the kernel's side of each convolution that has one known operand as shifted copies and
  /// matrix products: the copies of the known operand are then known, so that partial evaluation makes
  /// them once for all directions.
  func composingKernels(unknown: [Bool]) -> Program {
    let hasKernels = equations.contains { $0.primitive.isConvolutionKernel }
    guard hasKernels else { return self }
    return .build(inputTypes) { arguments in
      let builder = arguments.builder
      var isUnknown = [Bool](repeating: false, count: types.count)
      var values = [Traced?](repeating: nil, count: types.count)
      for (index, input) in inputs.enumerated() {
        isUnknown[input.index] = unknown[index]
        values[input.index] = arguments[index]
      }
      for equation in equations {
        builder.source = equation.source
        let moving = equation.operands.map { isUnknown[$0.index] }
        for result in equation.results { isUnknown[result.index] = moving.contains(true) }
        let operands = equation.operands.map { values[$0.index]! }
        let results: [Traced]
        if case .convolution(let convolution) = equation.primitive,
          equation.primitive.isConvolutionKernel, moving[0] != moving[1]
        {
          results = [convolution.composed(operands[0], operands[1])]
        } else {
          results = builder.emit(equation.primitive, operands)
        }
        for (result, value) in zip(equation.results, results) { values[result.index] = value }
      }
      return outputs.map { values[$0.index]! }
    }
  }
}

extension Primitive {
  fileprivate var isConvolutionKernel: Bool {
    if case .convolution(let convolution) = self, case .kernel = convolution.role {
      true
    } else {
      false
    }
  }
}
