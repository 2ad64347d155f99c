import TensorPrograms

extension OperatorCatalogue {
  /// Nonlinearities, and the normalised exponentials.
  static let activations: [OperatorRule] = [
    OperatorRule("LeakyRelu") { node in
      let x = try node.input(0)
      return [x.positive(x, otherwise: x * node.float("alpha", 0.01))]
    },
    OperatorRule("PRelu") { node in
      let x = try node.input(0)
      return [x.positive(x, otherwise: x * (try node.input(1)))]
    },
    OperatorRule("ThresholdedRelu") { node in
      let x = try node.input(0)
      return [x.compare(.greater, x.scalar(node.float("alpha", 1))).select(x, x.zeros())]
    },
    OperatorRule("Elu") { node in
      let x = try node.input(0)
      return [x.positive(x, otherwise: x.negativePart.unary(.expm1) * node.float("alpha", 1))]
    },
    OperatorRule("Selu") { node in
      let x = try node.input(0)
      let alpha = node.float("alpha", 1.67326319217681884765625)
      let gamma = node.float("gamma", 1.05070102214813232421875)
      return [x.positive(x * gamma, otherwise: x.negativePart.unary(.expm1) * (alpha * gamma))]
    },
    OperatorRule("Celu") { node in
      let x = try node.input(0)
      let alpha = node.float("alpha", 1)
      return [x.positive(x, otherwise: (x.negativePart / alpha).unary(.expm1) * alpha)]
    },
    OperatorRule("Gelu") { node in
      let x = try node.input(0)
      switch node.string("approximate", "none") {
      case "none": return [x.gelu()]
      case "tanh": return [x.geluByTanh]
      case let other: throw node.fail("there is no approximation '\(other)'")
      }
    },
    OperatorRule("HardSigmoid") { node in
      let x = try node.input(0)
      return [(x * node.float("alpha", 0.2) + node.float("beta", 0.5)).clippedToUnit]
    },
    OperatorRule("HardSwish") { node in
      let x = try node.input(0)
      return [x * (x * (1.0 / 6) + 0.5).clippedToUnit]
    },
    OperatorRule("Mish") { node in
      let x = try node.input(0)
      return [x * x.softplus().tanh()]
    },
    OperatorRule("Swish") { node in
      let x = try node.input(0)
      let alpha = node.float("alpha", 1)
      return [x * (alpha == 1 ? x : x * alpha).sigmoid()]
    },
    OperatorRule("Softsign") { node in
      let x = try node.input(0)
      return [x / (x.abs() + 1)]
    },
    normalized("Softmax") { $0.softmax(axis: $1) },
    normalized("LogSoftmax") { $0.logSoftmax(axis: $1) },
    normalized("Hardmax") { x, axis in
      // One at the first maximum.
      let peak = x.stopGradient().max([axis], keepingAxes: true)
      let places = x.places(along: axis, element: .int64)
      let candidates = x.compare(.equal, peak).select(
        -places, places.scalar(Double(-x.shape[axis])))
      let first = candidates.max([axis], keepingAxes: true)
      return (-places).compare(.equal, first).converted(to: x.element)
    },
  ]

  /// Before operator set 13 the axes from `axis` on count as one.
  private static func normalized(
    _ name: String, _ body: @escaping @Sendable (Traced, Int) -> Traced
  ) -> OperatorRule {
    OperatorRule(name) { node in
      let x = try node.input(0)
      let modern = node.operatorSet >= 13
      if x.shape.count == 0 { return [x] }
      let axis = try node.axis(node.int("axis", modern ? -1 : 1), rank: x.rank)
      if modern || axis == x.rank - 1 { return [body(x, axis)] }
      let rows = x.shape.dimensions[..<axis].reduce(1, *)
      let flat = x.reshaped([rows, x.shape.count / rows])
      return [body(flat, 1).reshaped(x.shape)]
    }
  }
}

extension Traced {
  /// `then` where this is above zero, else `otherwise`.
  fileprivate func positive(_ then: Traced, otherwise: Traced) -> Traced {
    compare(.greater, scalar(0)).select(then, otherwise)
  }

  /// This where it is at most zero, else a zero that nothing overflows at: a branch not taken must
  /// stay finite, for its derivative is multiplied by zero.
  fileprivate var negativePart: Traced { compare(.greater, scalar(0)).select(zeros(), self) }

  fileprivate var clippedToUnit: Traced { maximum(scalar(0)).minimum(scalar(1)) }

  /// The index along `axis` of each element.
  func places(along axis: Int, element: ElementType) -> Traced {
    builder.emit(.iota(TensorType(element, shape), axis: axis), [])[0]
  }
}

extension Traced {
  /// `x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)))`.
  var geluByTanh: Traced {
    let cubic = self + self * square() * 0.044715
    return self * 0.5 * ((cubic * (2 / Double.pi).squareRoot()).tanh() + 1)
  }
}
