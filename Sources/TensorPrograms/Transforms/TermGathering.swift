extension Program {
  /// Rewrites sums of unknown values with two or more known terms, `(a + u) + b`, as `u + (a + b)`, whose
  /// second term partial evaluation hoists.
  func gatheringTerms(unknown: [Bool]) -> Program {
    let isUnknown = dependents(of: zip(inputs, unknown).filter(\.1).map(\.0))
    let definitions = self.definitions
    let readers = readerCounts

    func isSum(_ variable: Variable) -> Bool {
      guard isUnknown[variable.index], type(of: variable).element.isFloating else { return false }
      return switch definitions[variable.index]?.primitive {
      case .binary(.add)?, .binary(.subtract)?: true
      default: false
      }
    }
    /// In the order of the sum; without recursion, since a model's sums may be as long as it likes.
    func terms(_ sum: Variable) -> [(isNegative: Bool, variable: Variable)] {
      var (found, open) = ([(isNegative: Bool, variable: Variable)](), [(false, sum)])
      while let (isNegative, variable) = open.popLast() {
        guard variable == sum || isSum(variable) && readers[variable.index] == 1 else {
          found.append((isNegative, variable))
          continue
        }
        let equation = definitions[variable.index]!
        let isDifference = equation.primitive == .binary(.subtract)
        open.append((isNegative != isDifference, equation.operands[1]))
        open.append((isNegative, equation.operands[0]))
      }
      return found
    }
    // Sums within sums are gathered with the outermost.
    var isInner = [Bool](repeating: false, count: types.count)
    for equation in equations where equation.results.contains(where: isSum) {
      for operand in equation.operands where readers[operand.index] == 1 && isSum(operand) {
        isInner[operand.index] = true
      }
    }
    return .build(inputTypes) { builder, arguments in
      var values = [Traced?](repeating: nil, count: types.count)
      for (input, argument) in zip(inputs, arguments) { values[input.index] = argument }
      func total(_ terms: [(isNegative: Bool, variable: Variable)]) -> Traced {
        let ordered = terms.filter { !$0.isNegative } + terms.filter(\.isNegative)
        let first = values[ordered[0].variable.index]!
        return ordered.dropFirst().reduce(ordered[0].isNegative ? -first : first) { sum, term in
          let value = values[term.variable.index]!
          return term.isNegative ? sum - value : sum + value
        }
      }
      for equation in equations {
        builder.source = equation.source
        let result = equation.results.first
        if let result, isSum(result), !isInner[result.index] {
          let all = terms(result)
          let known = all.filter { !isUnknown[$0.variable.index] }
          if known.count > 1 {
            values[result.index] =
              total(all.filter { isUnknown[$0.variable.index] }) + total(known)
            continue
          }
        }
        let results = builder.emit(
          equation.primitive, equation.operands.map { values[$0.index]! })
        for (result, value) in zip(equation.results, results) { values[result.index] = value }
      }
      return outputs.map { values[$0.index]! }
    }
  }
}
