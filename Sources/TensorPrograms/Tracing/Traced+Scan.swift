extension Traced {
  /// A loop: `(carries, outputs[t]) = body(constants, carries, stacked[t])` for each step `t`.
  ///
  ///     let (last, all) = try Traced.scan(constants: [u], carries: [h], stacked: [x]) { u, h, x in
  ///       let next = (x[0] + h[0].matmul(u[0])).tanh()
  ///       return ([next], [next])
  ///     }
  ///
  /// - Parameters:
  ///   - constants: values that every step reads; the body sees no other value from outside.
  ///   - carries: what the first step starts from; each keeps its type.
  ///   - stacked: values whose axis 0 runs over the steps.
  ///   - length: how many steps; by default that of the stacked values.
  ///   - reversed: whether the steps run from the last slice to the first.
  /// - Returns: the last carries, and the steps' outputs stacked along axis 0 at their slices' indices.
  /// - Throws: what `body` throws, and `ProgramError` where the body itself does not type-check.
  ///   Operands that do not fit the body are reported by `Program.trace`.
  public static func scan(
    constants: [Traced] = [], carries: [Traced], stacked: [Traced] = [], length: Int? = nil,
    reversed: Bool = false,
    body: ([Traced], [Traced], [Traced]) throws -> (carries: [Traced], outputs: [Traced])
  ) throws -> (carries: [Traced], outputs: [Traced]) {
    let operands = constants + carries + stacked
    precondition(!operands.isEmpty, "a loop over nothing")
    guard let steps = length ?? stacked.first?.shape.dimensions.first,
      stacked.allSatisfy({ $0.rank > 0 })
    else {
      throw ProgramError.mismatch(
        "a scan needs stacked inputs with an axis of steps, or its length: it got "
          + "\(stacked.map(\.type))")
    }
    let inner = ProgramBuilder()
    let inputs =
      (constants + carries).map { inner.input($0.type) }
      + stacked.map { inner.input(TensorType($0.element, $0.shape.removing([0]))) }
    let first = constants.count + carries.count
    let results = try body(
      Array(inputs[..<constants.count]), Array(inputs[constants.count..<first]),
      Array(inputs[first...]))
    guard results.carries.map(\.type) == carries.map(\.type) else {
      throw ProgramError.mismatch(
        "a scan starts from carries \(carries.map(\.type)), but its body returns "
          + "\(results.carries.map(\.type))")
    }
    let loop = Scan(
      body: try inner.build(results.carries + results.outputs), length: steps,
      constantCount: constants.count, carryCount: carries.count, isReversed: reversed)
    let values = operands[0].builder.emit(.scan(loop), operands)
    guard values.count == results.carries.count + results.outputs.count else {
      // Ill-typed: the builder throws when the trace ends.
      return (carries, results.outputs.map { _ in operands[0] })
    }
    return (Array(values.prefix(carries.count)), Array(values.dropFirst(carries.count)))
  }
}
