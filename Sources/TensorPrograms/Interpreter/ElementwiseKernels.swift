func unary(_ function: UnaryFunction, _ operand: Tensor) -> Tensor {
  switch operand.storage {
  case .float32(let x): Tensor(realUnary(function, x), shape: operand.shape)
  case .float64(let x): Tensor(realUnary(function, x), shape: operand.shape)
  case .int32(let x): Tensor(integerUnary(function, x), shape: operand.shape)
  case .int64(let x): Tensor(integerUnary(function, x), shape: operand.shape)
  case .bool(let x): Tensor(logicalUnary(function, x), shape: operand.shape)
  }
}

private func realUnary<T: InterpreterReal>(_ function: UnaryFunction, _ x: [T]) -> [T] {
  switch function {
  case .negate: x.map { -$0 }
  case .absolute: x.map { $0.magnitude }
  case .sign: x.map { $0 > 0 ? 1 : $0 < 0 ? -1 : $0 }
  case .floor: x.map { $0.rounded(.down) }
  case .ceil: x.map { $0.rounded(.up) }
  case .round: x.map { $0.rounded(.toNearestOrEven) }
  case .exp: x.map { T.exp($0) }
  case .log: x.map { T.log($0) }
  case .expm1: x.map { T.expm1($0) }
  case .log1p: x.map { T.log1p($0) }
  case .sqrt: x.map { $0.squareRoot() }
  case .square: x.map { $0 * $0 }
  case .reciprocal: x.map { 1 / $0 }
  case .sin: x.map { T.sin($0) }
  case .cos: x.map { T.cos($0) }
  case .tan: x.map { T.tan($0) }
  case .asin: x.map { T.asin($0) }
  case .acos: x.map { T.acos($0) }
  case .atan: x.map { T.atan($0) }
  case .sinh: x.map { T.sinh($0) }
  case .cosh: x.map { T.cosh($0) }
  case .tanh: x.map { T.tanh($0) }
  case .sigmoid:
    // The exponent is never positive, so neither tail overflows.
    x.map {
      let decay = T.exp(-$0.magnitude)
      return ($0 < 0 ? decay : 1) / (1 + decay)
    }
  case .erf: x.map { T.erf($0) }
  case .relu: x.map { $0 <= 0 ? 0 : $0 }
  case .softplus: x.map { ($0 > 0 ? $0 : 0) + T.log1p(T.exp(-$0.magnitude)) }
  case .not: preconditionFailure("not of floating-point numbers")
  }
}

private func integerUnary<T: InterpreterInteger>(_ function: UnaryFunction, _ x: [T]) -> [T] {
  switch function {
  case .negate: x.map { 0 &- $0 }
  case .absolute: x.map { $0 < 0 ? 0 &- $0 : $0 }
  case .sign: x.map { $0.signum() }
  case .square: x.map { $0 &* $0 }
  case .relu: x.map { $0 < 0 ? 0 : $0 }
  case .floor, .ceil, .round, .exp, .log, .expm1, .log1p, .sqrt, .reciprocal, .sin, .cos, .tan,
    .asin, .acos, .atan, .sinh, .cosh, .tanh, .sigmoid, .erf, .softplus, .not:
    preconditionFailure("\(function) of integers")
  }
}

private func logicalUnary(_ function: UnaryFunction, _ x: [Bool]) -> [Bool] {
  precondition(function == .not, "\(function) of bools")
  return x.map { !$0 }
}

func binary(_ function: BinaryFunction, _ a: Tensor, _ b: Tensor) throws -> Tensor {
  switch a.storage {
  case .float32(let x): Tensor(realBinary(function, x, Float.values(of: b)), shape: a.shape)
  case .float64(let x): Tensor(realBinary(function, x, Double.values(of: b)), shape: a.shape)
  case .int32(let x): Tensor(try integerBinary(function, x, Int32.values(of: b)), shape: a.shape)
  case .int64(let x): Tensor(try integerBinary(function, x, Int64.values(of: b)), shape: a.shape)
  case .bool(let x): Tensor(logicalBinary(function, x, Bool.values(of: b)), shape: a.shape)
  }
}

private func realBinary<T: InterpreterReal>(
  _ function: BinaryFunction, _ a: [T], _ b: [T]
) -> [T] {
  switch function {
  case .add: paired(a, b) { $0 + $1 }
  case .subtract: paired(a, b) { $0 - $1 }
  case .multiply: paired(a, b) { $0 * $1 }
  case .divide: paired(a, b) { $0 / $1 }
  case .power: paired(a, b) { T.pow($0, $1) }
  case .maximum: paired(a, b) { T.larger($0, $1) }
  case .minimum: paired(a, b) { T.smaller($0, $1) }
  case .remainder: paired(a, b) { $0.truncatingRemainder(dividingBy: $1) }
  case .and, .or: preconditionFailure("\(function) of floating-point numbers")
  }
}

private func integerBinary<T: InterpreterInteger>(
  _ function: BinaryFunction, _ a: [T], _ b: [T]
) throws -> [T] {
  func refuseZero(_ divisors: [T]) throws {
    guard !divisors.contains(0) else {
      throw InterpreterError.integerDivisionByZero(primitive: function.rawValue)
    }
  }
  switch function {
  case .add: return paired(a, b) { $0 &+ $1 }
  case .subtract: return paired(a, b) { $0 &- $1 }
  case .multiply: return paired(a, b) { $0 &* $1 }
  case .divide:
    try refuseZero(b)
    return paired(a, b) { $0.dividedReportingOverflow(by: $1).partialValue }
  case .power:
    try refuseZero(zip(a, b).filter { $1 < 0 }.map { $0.0 })
    return paired(a, b) { integerPower($0, $1) }
  case .maximum: return paired(a, b) { T.larger($0, $1) }
  case .minimum: return paired(a, b) { T.smaller($0, $1) }
  case .remainder:
    try refuseZero(b)
    return paired(a, b) { $0.remainderReportingOverflow(dividingBy: $1).partialValue }
  case .and, .or: preconditionFailure("\(function) of integers")
  }
}

/// `base` to the `exponent`, wrapping around; truncated towards zero for negative exponents.
private func integerPower<T: InterpreterInteger>(_ base: T, _ exponent: T) -> T {
  guard exponent >= 0 else {
    switch base {
    case 1: return 1
    case -1: return exponent & 1 == 0 ? 1 : -1
    default: return 0
    }
  }
  var (power, square, rest) = (T(1), base, exponent)
  while rest > 0 {
    if rest & 1 == 1 { power = power &* square }
    square = square &* square
    rest >>= 1
  }
  return power
}

private func logicalBinary(_ function: BinaryFunction, _ a: [Bool], _ b: [Bool]) -> [Bool] {
  switch function {
  case .and: paired(a, b) { $0 && $1 }
  case .or: paired(a, b) { $0 || $1 }
  case .add, .subtract, .multiply, .divide, .power, .maximum, .minimum, .remainder:
    preconditionFailure("\(function) of bools")
  }
}

func compared(_ comparison: Comparison, _ a: Tensor, _ b: Tensor) -> Tensor {
  func compare<T: Comparable>(_ a: [T], _ b: [T]) -> Tensor {
    let result: [Bool] =
      switch comparison {
      case .equal: paired(a, b) { $0 == $1 }
      case .notEqual: paired(a, b) { $0 != $1 }
      case .less: paired(a, b) { $0 < $1 }
      case .lessOrEqual: paired(a, b) { $0 <= $1 }
      case .greater: paired(a, b) { $0 > $1 }
      case .greaterOrEqual: paired(a, b) { $0 >= $1 }
      }
    return Tensor(result, shape: shape)
  }
  let shape = a.shape
  switch a.storage {
  case .float32(let x): return compare(x, Float.values(of: b))
  case .float64(let x): return compare(x, Double.values(of: b))
  case .int32(let x): return compare(x, Int32.values(of: b))
  case .int64(let x): return compare(x, Int64.values(of: b))
  case .bool(let x):
    return compare(x.map { $0 ? 1 : 0 }, Bool.values(of: b).map { $0 ? 1 : 0 })
  }
}

func selected(_ condition: Tensor, _ whenTrue: Tensor, _ whenFalse: Tensor) -> Tensor {
  func select<T: InterpreterElement>(_ a: [T]) -> Tensor {
    let b = T.values(of: whenFalse)
    let chosen = Bool.values(of: condition).enumerated().map { $1 ? a[$0] : b[$0] }
    return Tensor(T.storage(chosen), shape: condition.shape)
  }
  return switch whenTrue.storage {
  case .float32(let a): select(a)
  case .float64(let a): select(a)
  case .int32(let a): select(a)
  case .int64(let a): select(a)
  case .bool(let a): select(a)
  }
}

/// Towards zero from floating point to integers (the ends of the range beyond it, 0 for NaN), modulo
/// 2^32 from int64 to int32, "is not zero" to bool.
func converted(_ operand: Tensor, to element: ElementType) -> Tensor {
  func real<T: InterpreterReal>(_ x: [T]) -> Tensor.Storage {
    switch element {
    case .float32: .float32(x.map { Float($0) })
    case .float64: .float64(x.map { Double($0) })
    case .int32: .int32(x.map { Int32.truncated($0) })
    case .int64: .int64(x.map { Int64.truncated($0) })
    case .bool: .bool(x.map { $0 != 0 })
    }
  }
  func integer<T: FixedWidthInteger>(_ x: [T]) -> Tensor.Storage {
    switch element {
    case .float32: .float32(x.map { Float($0) })
    case .float64: .float64(x.map { Double($0) })
    case .int32: .int32(x.map { Int32(truncatingIfNeeded: $0) })
    case .int64: .int64(x.map { Int64($0) })
    case .bool: .bool(x.map { $0 != 0 })
    }
  }
  let storage =
    switch operand.storage {
    case .float32(let x): real(x)
    case .float64(let x): real(x)
    case .int32(let x): integer(x)
    case .int64(let x): integer(x)
    case .bool(let x): integer(x.map { $0 ? UInt8(1) : 0 })
    }
  return Tensor(storage, shape: operand.shape)
}

@inline(__always)
private func paired<T, R>(_ a: [T], _ b: [T], _ function: (T, T) -> R) -> [R] {
  precondition(a.count == b.count)
  return [R](unsafeUninitializedCapacity: a.count) { result, count in
    a.withUnsafeBufferPointer { a in
      b.withUnsafeBufferPointer { b in
        for i in 0..<a.count { result.initializeElement(at: i, to: function(a[i], b[i])) }
      }
    }
    count = a.count
  }
}
