extension Program {
  /// Floating-point operations of one run, counted from the shapes: `2 m k n` for a dot, one per element
  /// read or written for everything else.
  ///
  /// A count, not a time: the same on every machine, so that work can be compared between runs.
  public var operationCount: Double {
    equations.reduce(0) { $0 + operations(of: $1) }
  }

  private func operations(of equation: Equation) -> Double {
    let results = equation.results.reduce(0) { $0 + Double(type(of: $1).shape.count) }
    switch equation.primitive {
    case .dot(let dimensions):
      let left = type(of: equation.operands[0]).shape
      return 2 * results * dimensions.leftContracting.reduce(1) { $0 * Double(left[$1]) }
    case .reduceSum, .reduceMax, .argMax:
      return Double(type(of: equation.operands[0]).shape.count)
    case .unary, .binary, .compare, .select, .convert, .pad, .concatenate, .reverse, .gather,
      .scatterAdd, .slice, .split, .transpose, .cumulativeSum, .sort:
      return results
    case .windowMax(let window), .windowSum(let window):
      return results * Double(window.sizes.reduce(1, *))
    case .convolution(let convolution):
      // The three roles share one count: that of the output's entries with the kernel's taps.
      let shapes = equation.operands.map { type(of: $0).shape }
      let result = type(of: equation.results[0]).shape
      let (output, kernel) =
        switch convolution.role {
        case .output: (result, shapes[1])
        case .input: (shapes[0], shapes[1])
        case .kernel: (shapes[1], result)
        }
      return 2 * Double(output.count) * Double(kernel.removing([0]).count)
    case .stopGradient, .constant, .iota, .reshape, .broadcast:
      return 0
    case .call(let body):
      return body.operationCount
    case .scan(let scan):
      return Double(scan.length) * scan.body.operationCount
    }
  }

  /// The time of one run, about, in operations of a large matrix product.
  ///
  /// What is bound by memory is dearer than its operations say, and every equation has its price. The
  /// weights were fitted to networks on two cores: convolutions reach a third of the rate of matrix
  /// products, an element moved costs as much as a hundred of their operations, a kernel's start as much
  /// as a million.
  package var workEstimate: Double {
    equations.reduce(0) { total, equation in
      let results = equation.results.reduce(0) { $0 + Double(type(of: $1).shape.count) }
      switch equation.primitive {
      case .constant, .iota, .reshape, .stopGradient, .broadcast: return total
      case .call(let body): return total + body.workEstimate
      case .scan(let scan): return total + Double(scan.length) * scan.body.workEstimate
      case .dot: return total + operations(of: equation) + 1e6
      case .convolution: return total + 3 * operations(of: equation) + 100 * results + 1e6
      case .windowMax, .windowSum: return total + 10 * operations(of: equation) + 1e6
      default: return total + 100 * max(results, operations(of: equation)) + 1e6
      }
    }
  }

  /// Bytes of the largest value of a run, broadcast ones among them: they are made whole where a kernel
  /// takes nothing else. Saturates.
  package var largestValue: Int {
    equations.reduce(0) { largest, equation in
      let inner =
        switch equation.primitive {
        case .call(let body): body.largestValue
        case .scan(let scan): scan.body.largestValue
        default: 0
        }
      return equation.results.reduce(max(largest, inner)) {
        let type = type(of: $1)
        let size = Double(TensorType(type.element, .scalar).byteCount)
        return max($0, Int(min(type.shape.dimensions.reduce(size) { $0 * Double($1) }, 0x1p62)))
      }
    }
  }

  /// Bytes of all values of one run together: an upper estimate of its working memory.
  public var valueBytes: Int {
    equations.reduce(0) { total, equation in
      switch equation.primitive {
      case .broadcast, .reshape, .constant, .iota, .stopGradient: total
      case .call(let body): total + body.valueBytes
      case .scan(let scan):
        // A step's values give way to the next step's.
        total + scan.body.valueBytes
          + equation.results.reduce(0) { $0 + type(of: $1).byteCount }
      default: total + equation.results.reduce(0) { $0 + type(of: $1).byteCount }
      }
    }
  }
}
