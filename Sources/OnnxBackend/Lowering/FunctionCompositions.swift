import TensorPrograms

/// Functions that ONNX lacks, or that ONNX Runtime has no accurate float64 kernel for, composed of
/// those it has. Errors are relative and were measured against the C library's functions.
extension ProgramLowering {
  private mutating func unary(_ operation: String, _ x: String) -> String {
    builder.node(operation, [x])
  }

  private mutating func binary(_ operation: String, _ a: String, _ b: String) -> String {
    builder.node(operation, [a, b])
  }

  private mutating func number(_ value: Double) -> String { scalar(value, .float64) }

  /// `exp(x) - 1 = tanh(x / 2) (exp(x) + 1)`: no cancellation, since tanh has none at zero.
  mutating func expm1(_ x: String, _ element: ElementType) -> String {
    let half = binary("Mul", x, scalar(0.5, element))
    let sum = binary("Add", unary("Exp", x), scalar(1, element))
    return binary("Mul", unary("Tanh", half), sum)
  }

  /// `log(u) x / (u - 1)` with u = 1 + x as rounded, and x where u is 1.
  ///
  /// Reference: Goldberg, What every computer scientist should know about floating-point
  /// arithmetic (1991), theorem 4.
  mutating func log1p(_ x: String, _ element: ElementType) -> String {
    let one = scalar(1, element)
    let largest =
      element == .float32
      ? Double(Float.greatestFiniteMagnitude) : Double.greatestFiniteMagnitude
    let u = binary("Add", one, x)
    // Bounded, so that an infinite x is not divided by itself.
    let rise = binary("Min", binary("Sub", u, one), scalar(largest, element))
    let value = binary("Mul", unary("Log", u), binary("Div", x, rise))
    return builder.node("Where", [binary("Equal", u, one), x, value])
  }

  mutating func float64Tan(_ x: String) -> String {
    binary("Div", unary("Sin", x), unary("Cos", x))
  }

  /// `(expm1(x) - expm1(-x)) / 2`; infinite beyond |x| = 709.78 already, the true bound is 710.47.
  mutating func float64Sinh(_ x: String) -> String {
    let difference = binary("Sub", expm1(x, .float64), expm1(unary("Neg", x), .float64))
    return binary("Mul", difference, number(0.5))
  }

  /// `(exp(x) + exp(-x)) / 2`, with the same bound as `float64Sinh`.
  mutating func float64Cosh(_ x: String) -> String {
    let sum = binary("Add", unary("Exp", x), unary("Exp", unary("Neg", x)))
    return binary("Mul", sum, number(0.5))
  }

  /// `1 / (1 + exp(-x))`; the kernel loses the lower tail's digits (5e-8 at -20).
  mutating func float64Sigmoid(_ x: String) -> String {
    unary("Reciprocal", binary("Add", number(1), unary("Exp", unary("Neg", x))))
  }

  /// `max(x, 0) + log1p(exp(-|x|))`; the kernel loses the lower tail's digits.
  mutating func float64Softplus(_ x: String) -> String {
    let decay = unary("Exp", unary("Neg", unary("Abs", x)))
    return binary("Add", unary("Relu", x), log1p(decay, .float64))
  }

  /// One exact correction of the float32 kernel's y: `atan x = y + atan d` with
  /// `d = (x cos y - sin y) / (cos y + x sin y)`, where d is below 1e-6, so that `atan d = d`.
  mutating func float64Atan(_ x: String) -> String {
    let bounded = binary("Max", binary("Min", x, number(1e300)), number(-1e300))
    let single = builder.node("Cast", [bounded], ["to": .int(Int(OnnxElement.float32.rawValue))])
    let guess = builder.node(
      "Cast", [unary("Atan", single)], ["to": .int(Int(OnnxElement.float64.rawValue))])
    let (cosine, sine) = (unary("Cos", guess), unary("Sin", guess))
    let rise = binary("Sub", binary("Mul", bounded, cosine), sine)
    let run = binary("Add", cosine, binary("Mul", bounded, sine))
    return binary("Add", guess, binary("Div", rise, run))
  }

  /// `atan(x / sqrt((1 - x) (1 + x)))`
  mutating func float64Asin(_ x: String) -> String {
    let one = number(1)
    let product = binary("Mul", binary("Sub", one, x), binary("Add", one, x))
    return float64Atan(binary("Div", x, unary("Sqrt", product)))
  }

  /// `2 atan(sqrt((1 - x) / (1 + x)))`
  mutating func float64Acos(_ x: String) -> String {
    let one = number(1)
    let ratio = binary("Div", binary("Sub", one, x), binary("Add", one, x))
    return binary("Mul", number(2), float64Atan(unary("Sqrt", ratio)))
  }

  /// Rational approximations: `x T(x^2) / U(x^2)` up to |x| = 1, `1 - exp(-x^2) P(|x|) / Q(|x|)` with
  /// the sign of x beyond, where from 6 on the result is 1.
  ///
  /// Reference: S. L. Moshier, Cephes Mathematical Library, `ndtr.c`; error below 4e-16.
  mutating func float64Erf(_ x: String) -> String {
    let one = number(1)
    let size = unary("Abs", x)
    let inner = binary("Min", size, one)
    let square = binary("Mul", inner, inner)
    let near = binary(
      "Div", binary("Mul", inner, polynomial(ErfCoefficients.t, square)),
      polynomial(ErfCoefficients.u, square))
    let outer = binary("Min", size, number(6))
    let decay = unary("Exp", unary("Neg", binary("Mul", outer, outer)))
    let ratio = binary(
      "Div", polynomial(ErfCoefficients.p, outer), polynomial(ErfCoefficients.q, outer))
    let far = binary("Sub", one, binary("Mul", decay, ratio))
    let magnitude = builder.node("Where", [binary("LessOrEqual", size, one), near, far])
    return binary("Mul", unary("Sign", x), magnitude)
  }

  /// Horner's scheme, highest power first.
  private mutating func polynomial(_ coefficients: [Double], _ x: String) -> String {
    var value = number(coefficients[0])
    for coefficient in coefficients.dropFirst() {
      value = binary("Add", binary("Mul", value, x), number(coefficient))
    }
    return value
  }
}

private enum ErfCoefficients {
  static let t = [
    9.60497373987051638749e0, 9.00260197203842689217e1, 2.23200534594684319226e3,
    7.00332514112805075473e3, 5.55923013010394962768e4,
  ]
  static let u = [
    1, 3.35617141647503099647e1, 5.21357949780152679795e2, 4.59432382970980127987e3,
    2.26290000613890934246e4, 4.92673942608635921086e4,
  ]
  static let p = [
    2.46196981473530512524e-10, 5.64189564831068821977e-1, 7.46321056442269912687e0,
    4.86371970985681366614e1, 1.96520832956077098242e2, 5.26445194995477358631e2,
    9.34528527171957607540e2, 1.02755188689515710272e3, 5.57535335369399327526e2,
  ]
  static let q = [
    1, 1.32281951154744992508e1, 8.67072140885989742329e1, 3.54937778887819891062e2,
    9.75708501743205489753e2, 1.82390916687909736289e3, 2.24633760818710981792e3,
    1.65666309194161350182e3, 5.57535340817727675546e2,
  ]
}
