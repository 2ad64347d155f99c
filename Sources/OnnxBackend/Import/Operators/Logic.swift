import TensorPrograms

extension OperatorCatalogue {
  /// Comparisons, truth values, and choices by them.
  static let logic: [OperatorRule] =
    [
      ("Equal", .equal), ("Less", .less), ("LessOrEqual", .lessOrEqual), ("Greater", .greater),
      ("GreaterOrEqual", .greaterOrEqual),
    ].map { (name: String, comparison: Comparison) in
      OperatorRule(name, constants: OperatorRule.everyInput) {
        [try $0.input(0).compare(comparison, $0.input(1))]
      }
    } + [
      OperatorRule("And") { [try $0.input(0).binary(.and, $0.input(1))] },
      OperatorRule("Or") { [try $0.input(0).binary(.or, $0.input(1))] },
      OperatorRule("Xor") { [try $0.input(0).compare(.notEqual, $0.input(1))] },
      OperatorRule("Not") { [try $0.input(0).unary(.not)] },
      OperatorRule("IsNaN", constants: OperatorRule.everyInput) { node in
        let x = try node.input(0)
        return [x.compare(.notEqual, x)]
      },
      OperatorRule("IsInf", constants: OperatorRule.everyInput) { node in
        let x = try node.input(0)
        let positive = x.compare(.equal, x.scalar(.infinity))
        let negative = x.compare(.equal, x.scalar(-.infinity))
        switch (node.flag("detect_negative", true), node.flag("detect_positive", true)) {
        case (true, true): return [positive.binary(.or, negative)]
        case (true, false): return [negative]
        case (false, true): return [positive]
        case (false, false): return [positive.falses]
        }
      },
      OperatorRule("Where") { node in
        [try node.input(0).select(node.input(1), node.input(2))]
      },
    ]
}
