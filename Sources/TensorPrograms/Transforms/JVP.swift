extension Program {
  /// The program with its directional derivative: inputs `x`, then a tangent per input named in
  /// `indices`; outputs `y`, then `J t` for every floating-point output.
  ///
  /// - Parameter indices: positions of floating-point inputs.
  public func jvp(withRespectTo indices: [Int]) -> Program {
    jvp(withRespectTo: indices, forcing: outputTypes.map(\.element.isFloating)).program
  }

  /// The same, where only outputs that are forced or may move have a tangent.
  func jvp(
    withRespectTo indices: [Int], forcing forced: [Bool]
  ) -> (program: Program, moves: [Bool]) {
    let tangentTypes = indices.map { inputTypes[$0] }
    precondition(
      tangentTypes.allSatisfy(\.element.isFloating), "only floating-point inputs have tangents")
    var moves = forced
    let program = Program.build(inputTypes + tangentTypes) { arguments in
      var values = [Traced?](repeating: nil, count: types.count)
      var tangents = values
      for (input, argument) in zip(inputs, arguments) { values[input.index] = argument }
      for (position, tangent) in zip(indices, arguments.dropFirst(inputs.count)) {
        tangents[inputs[position].index] = tangent
      }
      for equation in equations {
        arguments.builder.source = equation.source
        let x = equation.operands.map { values[$0.index]! }
        let t = equation.operands.map { tangents[$0.index] }
        let (y, moved) =
          t.contains { $0 != nil }
          ? equation.primitive.jvp(x, t)
          : (arguments.builder.emit(equation.primitive, x), equation.results.map { _ in nil })
        for (index, result) in equation.results.enumerated() {
          values[result.index] = y[index]
          tangents[result.index] = y[index].element.isFloating ? moved[index] : nil
        }
      }
      let y = outputs.map { values[$0.index]! }
      let moved = outputs.map { tangents[$0.index] }
      moves = zip(moved, forced).map { $0 != nil || $1 }
      return y + moves.indices.filter { moves[$0] }.map { moved[$0] ?? y[$0].zeros() }
    }
    return (program, moves)
  }
}

extension Primitive {
  /// The results and their tangents (nil: zero) for operands of which some have tangents; those of a
  /// sub-program come from one that computes both.
  fileprivate func jvp(_ x: [Traced], _ t: [Traced?]) -> ([Traced], [Traced?]) {
    switch self {
    case .call(let body):
      let moving = t.indices.filter { t[$0] != nil }
      let step = body.jvp(withRespectTo: moving, forcing: body.outputs.map { _ in false })
      let results = x.builder.emit(.call(step.program), x + moving.map { t[$0]! })
      var tangents = results.dropFirst(body.outputs.count)
      return (
        Array(results.prefix(body.outputs.count)),
        step.moves.map { $0 ? tangents.removeFirst() : nil }
      )
    case .scan(let scan):
      return scan.jvp(x, t)
    default:
      let y = x.builder.emit(self, x)
      return (y, jvp(x, t, y))
    }
  }
}

extension [Traced] {
  /// The builder of a transform's arguments, which are never empty.
  var builder: ProgramBuilder { self[0].builder }
}
