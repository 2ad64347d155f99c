extension Program {
  /// The loss with its gradient by reverse mode: the inputs to the outputs, then `d output[0] / d input`
  /// for each input named in `indices`.
  ///
  /// Reverse mode is the transpose of the linearisation, so its cost is a small multiple of the
  /// program's own.
  /// - Throws: `ProgramError.notScalar` if the first output is not one floating-point number.
  public func gradient(withRespectTo indices: [Int]) throws -> Program {
    guard let loss = outputTypes.first, loss.element.isFloating, loss.shape.count == 1 else {
      throw ProgramError.notScalar(outputTypes.first ?? .float64(0))
    }
    let parts = linearized(withRespectTo: indices, of: [0])
    let reverse = parts.transposed
    return Program.build(inputTypes) { arguments in
      let builder = arguments.builder
      let values = builder.inline(parts.primal, arguments)
      let residuals = values.dropFirst(outputs.count)
      return Array(values.prefix(outputs.count))
        + builder.inline(reverse, residuals + [builder.full(1, loss)])
    }.simplified()
  }

  /// The gradient linearised: `primal` yields loss, gradient and residuals; `linear` maps a direction
  /// (one tensor per input named in `indices`) to the Hessian's product with it.
  ///
  /// Reference: Pearlmutter, "Fast exact multiplication by the Hessian", Neural Computation 6 (1994).
  /// - Throws: `ProgramError.notScalar` if the first output is not one floating-point number.
  public func hessianProduct(withRespectTo indices: [Int]) throws -> Linearization {
    let gradient = try gradient(withRespectTo: indices)
    return gradient.linearized(
      withRespectTo: indices, of: indices.indices.map { outputs.count + $0 })
  }
}
