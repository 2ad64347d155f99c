import TensorPrograms

extension OperatorCatalogue {
  /// Functions of each element, and arithmetic of tensors that broadcast.
  static let elementwise: [OperatorRule] =
    [
      ("Sqrt", .sqrt), ("Exp", .exp), ("Log", .log), ("Neg", .negate), ("Abs", .absolute),
      ("Reciprocal", .reciprocal), ("Sign", .sign), ("Floor", .floor), ("Ceil", .ceil),
      ("Round", .round), ("Sin", .sin), ("Cos", .cos), ("Tan", .tan), ("Asin", .asin),
      ("Acos", .acos), ("Atan", .atan), ("Sinh", .sinh), ("Cosh", .cosh), ("Tanh", .tanh),
      ("Erf", .erf), ("Sigmoid", .sigmoid), ("Relu", .relu), ("Softplus", .softplus),
    ].map { (name: String, function: UnaryFunction) in
      OperatorRule(name) { [try $0.input(0).unary(function)] }
    }
    + [
      ("Add", .add), ("Sub", .subtract), ("Mul", .multiply), ("Div", .divide),
    ].map { (name: String, function: BinaryFunction) in
      OperatorRule(name) { [try $0.input(0).binary(function, $0.input(1))] }
    } + [
      OperatorRule("Pow") { node in
        let (base, exponent) = (try node.input(0), try node.input(1))
        let isNumber = exponent.shape.count == 1 && exponent.rank <= base.rank
        switch node.builder.constantValue(of: exponent)?.uniformValue {
        case 2? where isNumber: return [base.square()]
        case 0.5? where isNumber && base.element.isFloating: return [base.sqrt()]
        default: break
        }
        guard !base.element.isFloating, exponent.element.isFloating else {
          return [base.power(exponent.converted(to: base.element))]
        }
        return [
          base.converted(to: exponent.element).power(exponent).converted(to: base.element)
        ]
      },
      OperatorRule("Mod") { node in
        let (a, b) = (try node.input(0), try node.input(1))
        let remainder = a.binary(.remainder, b)
        guard !node.flag("fmod") else { return [remainder] }
        // The remainder with the divisor's sign.
        let zero = remainder.scalar(0)
        let differs = remainder.compare(.less, zero).compare(.notEqual, b.compare(.less, zero))
        let moves = differs.binary(.and, remainder.compare(.notEqual, zero))
        return [moves.select(remainder + b, remainder)]
      },
      OperatorRule("Clip") { node in
        let x = try node.input(0)
        if node.operatorSet < 11 {
          var clipped = x
          if let low = node.float("min") { clipped = clipped.maximum(x.scalar(low)) }
          if let high = node.float("max") { clipped = clipped.minimum(x.scalar(high)) }
          return [clipped]
        }
        var clipped = x
        if let low = node.optionalInput(1) { clipped = clipped.maximum(low) }
        if let high = node.optionalInput(2) { clipped = clipped.minimum(high) }
        return [clipped]
      },
      variadic("Max") { $0.maximum($1) },
      variadic("Min") { $0.minimum($1) },
      variadic("Sum") { $0 + $1 },
      OperatorRule("Mean") { node in
        let inputs = try node.allInputs()
        guard let first = inputs.first else { throw node.fail("it has no inputs") }
        return [inputs.dropFirst().reduce(first, +) / Double(inputs.count)]
      },
      OperatorRule("Asinh") { node in
        // Of the magnitude, where nothing cancels; the sign is that of 1 at zero, so that the
        // derivative there is not lost.
        let x = try node.input(0)
        let sign = x.compare(.less, x.scalar(0)).select(x.zeros() - 1, x.zeros() + 1)
        let size = x * sign
        let square = size.square()
        return [sign * (size + square / ((square + 1).sqrt() + 1)).unary(.log1p)]
      },
      OperatorRule("Acosh") { node in
        let excess = try node.input(0) - 1
        return [(excess + (excess * (excess + 2)).sqrt()).unary(.log1p)]
      },
      OperatorRule("Atanh") { node in
        let x = try node.input(0)
        return [(x.unary(.log1p) - (-x).unary(.log1p)) * 0.5]
      },
    ]

  private static func variadic(
    _ name: String, _ combine: @escaping @Sendable (Traced, Traced) -> Traced
  ) -> OperatorRule {
    OperatorRule(name) { node in
      let inputs = try node.allInputs()
      guard let first = inputs.first else { throw node.fail("it has no inputs") }
      return [inputs.dropFirst().reduce(first, combine)]
    }
  }
}
