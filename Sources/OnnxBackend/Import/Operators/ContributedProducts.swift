import TensorPrograms

/// Products with what ONNX Runtime's graph optimizer takes into them, and those of weights of few bits.
///
/// Reference: onnxruntime/docs/ContribOperators.md.
extension OperatorCatalogue {
  static let contributedProducts: [OperatorRule] =
    ["FusedMatMul", "TransposeMatMul"].map { name in
      OperatorRule(name, domain: "com.microsoft") { node in
        guard !node.flag("transBatchA"), !node.flag("transBatchB") else {
          throw node.fail("it cannot take batches that are transposed")
        }
        func side(_ index: Int, _ attribute: String) throws -> Traced {
          let x = try node.floating(index)
          guard node.flag(attribute), x.rank >= 2 else { return x }
          return x.transposed(
            Array(0..<(x.rank - 2)) + [x.rank - 1, x.rank - 2])
        }
        let y = try node.matrixProduct(side(0, "transA"), side(1, "transB"))
        return [y * node.float("alpha", 1)]
      }
    } + [
      OperatorRule("FusedConv", domain: "com.microsoft") { node in
        var y = try node.biased(node.convolution(node.floating(0), node.floating(1)))
        if let other = node.optionalInput(3) { y = y + other }
        return [try node.activated(y)]
      },
      OperatorRule("MatMulNBits", domain: "com.microsoft", constants: [2, 3, 4]) { node in
        guard node.optionalInput(4) == nil else {
          throw node.fail("it cannot take columns in another order")
        }
        guard node.isReal(1), try node.floating(1).rank == 2 else {
          throw node.fail(
            "its weight of \(node.int("bits", 4)) bits, with its scales and zero points, must be stored "
              + "in the file, \(node.int("K", 0)) by \(node.int("N", 0)) in whole bytes")
        }
        let y = try node.matrixProduct(node.floating(0), node.floating(1).transposed([1, 0]))
        return [node.optionalInput(5).map { y + $0 } ?? y]
      },
    ]
}

extension NodeContext {
  /// `y` through the activation that the attribute names.
  fileprivate func activated(_ y: Traced) throws -> Traced {
    let numbers = floats("activation_params") ?? []
    func number(_ index: Int, _ fallback: Double) -> Double {
      numbers.indices.contains(index) ? numbers[index] : fallback
    }
    switch string("activation", "") {
    case "": return y
    case "Relu": return y.relu()
    case "Tanh": return y.tanh()
    case "Sigmoid": return y.sigmoid()
    case "LeakyRelu":
      return y.compare(.greater, y.scalar(0)).select(y, y * number(0, 0.01))
    case "Clip":
      return y.maximum(y.scalar(number(0, -.infinity))).minimum(y.scalar(number(1, .infinity)))
    case "HardSigmoid":
      return (y * number(0, 0.2) + number(1, 0.5)).maximum(y.scalar(0)).minimum(y.scalar(1))
    case let name: throw fail("it cannot take the activation \(name) into a convolution")
    }
  }
}
