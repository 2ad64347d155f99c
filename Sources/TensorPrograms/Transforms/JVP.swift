extension Program {
  /// The program with its directional derivative: inputs `x`, then a tangent per input named in
  /// `indices`; outputs `y`, then `J t` for every floating-point output.
  ///
  /// - Parameter indices: positions of floating-point inputs.
  public func jvp(withRespectTo indices: [Int]) -> Program {
    let tangentTypes = indices.map { inputTypes[$0] }
    precondition(
      tangentTypes.allSatisfy(\.element.isFloating), "only floating-point inputs have tangents")
    return .build(inputTypes + tangentTypes) { arguments in
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
        let y = arguments.builder.emit(equation.primitive, x)
        let moved =
          t.contains { $0 != nil } ? equation.primitive.jvp(x, t, y) : y.map { _ in nil }
        for (index, result) in equation.results.enumerated() {
          values[result.index] = y[index]
          tangents[result.index] = y[index].element.isFloating ? moved[index] : nil
        }
      }
      let y = outputs.map { values[$0.index]! }
      return y
        + zip(outputs, y).filter { $1.element.isFloating }.map { tangents[$0.index] ?? $1.zeros() }
    }
  }
}

extension [Traced] {
  /// The builder of a transform's arguments, which are never empty.
  var builder: ProgramBuilder { self[0].builder }
}
