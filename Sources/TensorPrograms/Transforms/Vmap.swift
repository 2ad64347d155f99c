extension Program {
  /// The program over a batch: inputs marked batched gain a leading axis of `size`, and so do all
  /// outputs.
  public func vmap(batched: [Bool], size: Int) -> Program {
    vmap(batched: batched, size: size, forcing: outputs.map { _ in true }).program
  }

  /// The same, where only outputs that are forced or depend on a batched input are batched.
  func vmap(
    batched: [Bool], size: Int, forcing forced: [Bool]
  ) -> (program: Program, isBatched: [Bool]) {
    precondition(batched.count == inputs.count, "one mark for each of \(inputs.count) inputs")
    let inputTypes = zip(inputTypes, batched).map { type, isBatched in
      isBatched ? TensorType(type.element, type.shape.inserting(size, at: 0)) : type
    }
    let builder = ProgramBuilder()
    var values = [Batched?](repeating: nil, count: types.count)
    for ((input, type), isBatched) in zip(zip(inputs, inputTypes), batched) {
      values[input.index] = Batched(value: builder.input(type), isBatched: isBatched)
    }
    for equation in equations {
      builder.source = equation.source
      let operands = equation.operands.map { values[$0.index]! }
      let results: [Batched]
      if operands.contains(where: \.isBatched) {
        results = equation.primitive.batch(operands, size: size)
      } else {
        results = builder.emit(equation.primitive, operands.map(\.value))
          .map { Batched(value: $0, isBatched: false) }
      }
      for (result, value) in zip(equation.results, results) { values[result.index] = value }
    }
    let results = outputs.map { values[$0.index]! }
    let isBatched = zip(results, forced).map { $0.isBatched || $1 }
    let program = builder.finish(
      zip(results, isBatched).map { $1 ? $0.batched(size) : $0.value })
    return (program, isBatched)
  }
}
