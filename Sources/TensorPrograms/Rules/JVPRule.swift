extension Primitive {
  /// The tangents of the results, given the operands, their tangents (nil: zero) and the results.
  ///
  /// Every tangent is linear in the operand tangents; each factor that does not depend on them is
  /// written as one known operand of a product, so that it can be hoisted out.
  func jvp(_ x: [Traced], _ t: [Traced?], _ y: [Traced]) -> [Traced?] {
    switch self {
    case .unary(let function):
      guard let tangent = t[0] else { return [nil] }
      return [function.jvp(x[0], tangent, y[0])]

    case .binary(let function):
      return [function.jvp(x[0], x[1], t[0], t[1], y[0])]

    case .compare, .stopGradient, .constant, .iota, .argMax:
      return [nil]

    case .select:
      guard t[1] != nil || t[2] != nil, y[0].element.isFloating else { return [nil] }
      return [x[0].select(t[1] ?? x[1].zeros(), t[2] ?? x[2].zeros())]

    case .convert(let element):
      return [element.isFloating ? t[0]?.converted(to: element) : nil]

    case .reshape, .transpose, .broadcast, .slice, .reverse, .reduceSum, .windowSum, .cumulativeSum:
      return [t[0]?.emit(self)]

    case .split:
      guard let tangent = t[0] else { return y.map { _ in nil } }
      return tangent.builder.emit(self, [tangent])

    case .pad(let low, let high, let interior, _):
      return [t[0]?.emit(.pad(low: low, high: high, interior: interior, value: 0))]

    case .concatenate:
      guard t.contains(where: { $0 != nil }) else { return [nil] }
      return y[0].builder.emit(self, zip(x, t).map { $1 ?? $0.zeros() })

    case .gather, .scatterAdd:
      return [t[0]?.emit(self, x[1])]

    case .reduceMax(let axes):
      guard let tangent = t[0] else { return [nil] }
      var kept = x[0].shape
      for axis in axes { kept[axis] = 1 }
      let atMaximum = x[0].compare(.equal, y[0].reshaped(kept)).converted(to: x[0].element)
      let share = atMaximum / atMaximum.sum(axes, keepingAxes: true)
      return [(tangent * share).sum(axes)]

    case .windowMax(let window):
      return [t[0].map { window.maximumTangent(x[0], $0, y[0]) }]

    case .sort(let axis, _):
      return [t[0].map { sortedTangent($0, y[1], axis: axis) }, nil]

    case .dot, .convolution:
      return [sum(t[0]?.emit(self, x[1]), t[1].map { x[0].emit(self, $0) })]

    case .call, .scan:
      preconditionFailure("the tangents of a sub-program are computed with its values")
    }
  }
}

extension UnaryFunction {
  fileprivate func jvp(_ x: Traced, _ t: Traced, _ y: Traced) -> Traced? {
    switch self {
    case .negate: -t
    case .absolute: t * x.sign()
    case .sign, .floor, .ceil, .round, .not: nil
    case .exp: t * y
    case .log: t * x.reciprocal()
    case .expm1: t * (y + 1)
    case .log1p: t * (x + 1).reciprocal()
    case .sqrt: t * (0.5 / y)
    case .square: t * (2 * x)
    case .reciprocal: t * -y.square()
    case .sin: t * x.cos()
    case .cos: t * -x.sin()
    case .tan: t * (1 + y.square())
    case .asin: t * (1 - x.square()).sqrt().reciprocal()
    case .acos: t * -(1 - x.square()).sqrt().reciprocal()
    case .atan: t * (1 + x.square()).reciprocal()
    case .sinh: t * x.unary(.cosh)
    case .cosh: t * x.unary(.sinh)
    case .tanh: t * (1 - y.square())
    case .sigmoid: t * (y * (1 - y))
    case .erf: t * ((-x.square()).exp() * 1.1283791670955126)
    case .relu: t * x.compare(.greater, x.scalar(0)).converted(to: x.element)
    case .softplus: t * x.sigmoid()
    }
  }
}

extension BinaryFunction {
  fileprivate func jvp(
    _ a: Traced, _ b: Traced, _ ta: Traced?, _ tb: Traced?, _ y: Traced
  ) -> Traced? {
    switch self {
    case .add: sum(ta, tb)
    case .subtract: sum(ta, tb.map { -$0 })
    case .multiply: sum(ta.map { $0 * b }, tb.map { $0 * a })
    case .divide: sum(ta.map { $0 * b.reciprocal() }, tb.map { $0 * -(y / b) })
    case .power:
      sum(
        ta.map { tangent in
          let slope = b * a.power(b - 1)
          return tangent * b.compare(.equal, b.scalar(0)).select(b.zeros(), slope)
        },
        tb.map { tangent in
          let positive = a.compare(.greater, a.scalar(0))
          return tangent * positive.select(y * positive.select(a, a.zeros() + 1).log(), a.zeros())
        })
    case .maximum: sum(ta.map { $0 * share(a, .greater, b) }, tb.map { $0 * share(b, .greater, a) })
    case .minimum: sum(ta.map { $0 * share(a, .less, b) }, tb.map { $0 * share(b, .less, a) })
    case .remainder: sum(ta, tb.map { $0 * -((a - y) / b) })
    case .and, .or: nil
    }
  }

  /// 1 where `a` wins the comparison, 1/2 where it ties.
  private func share(_ a: Traced, _ comparison: Comparison, _ b: Traced) -> Traced {
    a.compare(comparison, b).converted(to: a.element)
      + a.compare(.equal, b).converted(to: a.element) * 0.5
  }
}

/// The sum of two tangents or cotangents, either of which may be zero.
func sum(_ a: Traced?, _ b: Traced?) -> Traced? {
  guard let a else { return b }
  guard let b else { return a }
  return a + b
}
