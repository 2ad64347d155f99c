import TensorPrograms

extension PrimitiveTable {
  static let elementwise: [PrimitiveRow] =
    UnaryFunction.allCases.map(row)
    + BinaryFunction.allCases.map(row)
    + Comparison.allCases.map(row)
    + [UnaryFunction.negate, .absolute, .sign, .square, .relu].map(integerRow)
    + [BinaryFunction.add, .subtract, .multiply, .divide, .power, .maximum, .minimum, .remainder]
    .map(integerRow)
    + [Comparison.equal, .less, .greaterOrEqual].map(integerRow)
    + selections + conversions

  private static func row(_ function: UnaryFunction) -> PrimitiveRow {
    if function == .not {
      return PrimitiveRow("not", .unary(.not), elements: [.bool], derivative: .none) {
        PrimitiveInstance(.unary(.not), (TensorType($0, $1.shape()), .bools))
      }
    }
    return PrimitiveRow(
      function.rawValue, .unary(function), weaknesses: weaknesses(of: function)
    ) { element, random in
      PrimitiveInstance(
        .unary(function), (TensorType(element, random.shape()), domain(of: function)))
    }
  }

  private static func domain(of function: UnaryFunction) -> Domain {
    switch function {
    case .negate, .exp, .expm1, .square, .sin, .cos, .atan, .sinh, .cosh, .tanh, .sigmoid, .erf,
      .softplus:
      .uniform(-2, 2)
    case .absolute, .sign, .relu: .signed(0.1, 2)
    case .floor, .ceil: .fraction(0.1, 0.9)
    case .round: .fraction(-0.4, 0.4)
    case .log, .sqrt: .uniform(0.3, 3)
    case .log1p: .uniform(-0.7, 3)
    case .reciprocal: .signed(0.5, 2)
    case .tan: .uniform(-1, 1)
    case .asin, .acos: .uniform(-0.9, 0.9)
    case .not: .bools
    }
  }

  private static func weaknesses(of function: UnaryFunction) -> [PrimitiveRow.Weakness] {
    switch function {
    case .negate, .absolute, .sign, .floor, .ceil, .round, .exp, .log, .expm1, .log1p, .sqrt,
      .square, .reciprocal, .sin, .cos, .tan, .asin, .acos, .atan, .sinh, .cosh, .tanh, .sigmoid,
      .erf, .relu, .softplus, .not:
      []
    }
  }

  private static func row(_ function: BinaryFunction) -> PrimitiveRow {
    let domains: (Domain, Domain)
    switch function {
    case .and, .or:
      return PrimitiveRow(
        function.rawValue, .binary(function), elements: [.bool], derivative: .none
      ) { element, random in
        let type = TensorType(element, random.shape())
        return PrimitiveInstance(.binary(function), (type, .bools), (type, .bools))
      }
    case .add, .subtract, .multiply: domains = (.uniform(-2, 2), .uniform(-2, 2))
    case .divide: domains = (.uniform(-2, 2), .signed(0.5, 2))
    case .power: domains = (.uniform(0.4, 2), .uniform(-2, 2))
    case .maximum, .minimum: domains = (.grid(offset: 0), .grid(offset: 0.1))
    case .remainder: domains = (.signed(2.6, 2.9), .signed(1.0, 1.2))
    }
    return PrimitiveRow(function.rawValue, .binary(function)) { element, random in
      let type = TensorType(element, random.shape())
      return PrimitiveInstance(.binary(function), (type, domains.0), (type, domains.1))
    }
  }

  private static func row(_ comparison: Comparison) -> PrimitiveRow {
    PrimitiveRow(
      comparison.rawValue, .compare(comparison), elements: [.float64, .float32],
      derivative: .none
    ) { element, random in
      let type = TensorType(element, random.shape())
      let offset = random.pick([0, 0, 0.1])
      return PrimitiveInstance(
        .compare(comparison), (type, .grid(offset: 0)), (type, .grid(offset: offset)))
    }
  }

  private static func integerRow(_ function: UnaryFunction) -> PrimitiveRow {
    PrimitiveRow(
      "\(function) of integers", .unary(function), elements: [.int32, .int64], derivative: .none
    ) {
      PrimitiveInstance(.unary(function), (TensorType($0, $1.shape()), .integers(-9...9)))
    }
  }

  private static func integerRow(_ function: BinaryFunction) -> PrimitiveRow {
    PrimitiveRow(
      "\(function) of integers", .binary(function), elements: [.int32, .int64], derivative: .none
    ) { element, random in
      let type = TensorType(element, random.shape())
      let second: Domain = function == .power ? .integers(0...5) : .nonzeroIntegers
      return PrimitiveInstance(.binary(function), (type, .integers(-9...9)), (type, second))
    }
  }

  private static func integerRow(_ comparison: Comparison) -> PrimitiveRow {
    PrimitiveRow(
      "\(comparison) of integers", .compare(comparison), elements: [.int32, .int64],
      derivative: .none
    ) { element, random in
      let type = TensorType(element, random.shape())
      return PrimitiveInstance(
        .compare(comparison), (type, .integers(-2...2)), (type, .integers(-2...2)))
    }
  }

  private static let selections = [
    PrimitiveRow("select", .structural(.select)) { element, random in
      let type = TensorType(element, random.shape())
      return PrimitiveInstance(
        .select, (TensorType(.bool, type.shape), .bools), (type, .uniform(-2, 2)),
        (type, .uniform(-2, 2)))
    },
    PrimitiveRow(
      "select of integers", .structural(.select), elements: [.int32, .int64], derivative: .none
    ) { element, random in
      let type = TensorType(element, random.shape())
      return PrimitiveInstance(
        .select, (TensorType(.bool, type.shape), .bools), (type, .integers(-9...9)),
        (type, .integers(-9...9)))
    },
    PrimitiveRow("stopGradient", .structural(.stopGradient), derivative: .zeroByDefinition) {
      PrimitiveInstance(.stopGradient, (TensorType($0, $1.shape()), .uniform(-2, 2)))
    },
  ]

  private static let conversions: [PrimitiveRow] = [
    // Differences of float32 values say nothing: this one is smooth in float64 only by staying there.
    PrimitiveRow("convert to float64", .structural(.convert)) {
      PrimitiveInstance(.convert(.float64), (TensorType($0, $1.shape()), .uniform(-2, 2)))
    },
    PrimitiveRow("convert to float32 and back", .structural(.convert), elements: [.float32]) {
      let input = (TensorType($0, $1.shape()), Domain.uniform(-2, 2))
      return PrimitiveInstance([input]) {
        [$0[0].converted(to: .float64).converted(to: .float32)]
      }
    },
    PrimitiveRow("convert to int32", .structural(.convert), derivative: .none) {
      PrimitiveInstance(.convert(.int32), (TensorType($0, $1.shape()), .fraction(0.1, 0.9)))
    },
    PrimitiveRow("convert to int64", .structural(.convert), derivative: .none) {
      PrimitiveInstance(.convert(.int64), (TensorType($0, $1.shape()), .fraction(0.1, 0.9)))
    },
    PrimitiveRow("convert to bool", .structural(.convert), derivative: .none) {
      PrimitiveInstance(.convert(.bool), (TensorType($0, $1.shape()), .grid(offset: 0)))
    },
    PrimitiveRow(
      "convert from integers", .structural(.convert), elements: [.int32, .int64],
      derivative: .none
    ) { element, random in
      let target = random.pick(ElementType.allCases)
      return PrimitiveInstance(
        .convert(target), (TensorType(element, random.shape()), .integers(-9...9)))
    },
    PrimitiveRow(
      "convert from bool", .structural(.convert), elements: [.bool], derivative: .none
    ) { element, random in
      let target = random.pick(ElementType.allCases)
      return PrimitiveInstance(
        .convert(target), (TensorType(element, random.shape()), .bools))
    },
  ]
}
