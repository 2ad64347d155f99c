extension Program {
  /// Which inputs an output depends on through floating-point values: those that it may have a
  /// derivative in.
  package func differentiableInputs() -> [Bool] {
    var needed = [Bool](repeating: false, count: types.count)
    for output in outputs { needed[output.index] = type(of: output).element.isFloating }
    for equation in equations.reversed() {
      guard equation.primitive != .stopGradient,
        equation.results.contains(where: { needed[$0.index] })
      else { continue }
      for operand in equation.operands where type(of: operand).element.isFloating {
        needed[operand.index] = true
      }
    }
    return inputs.map { needed[$0.index] }
  }

  /// For each variable, how many operands of equations and outputs it is.
  var readerCounts: [Int] {
    var counts = [Int](repeating: 0, count: types.count)
    for equation in equations {
      for operand in equation.operands { counts[operand.index] += 1 }
    }
    for output in outputs { counts[output.index] += 1 }
    return counts
  }
}
