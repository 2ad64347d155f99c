import TensorPrograms

extension Program {
  /// Floating-point operations of one run, counted from the shapes: `2 m k n` for a dot, one per element
  /// read or written for everything else.
  ///
  /// A count, not a time: the same on every machine, so that work can be compared between runs.
  public var operationCount: Double {
    equations.reduce(0) { total, equation in
      let results = equation.results.reduce(0) { $0 + Double(type(of: $1).shape.count) }
      switch equation.primitive {
      case .dot(let dimensions):
        let left = type(of: equation.operands[0]).shape
        return total + 2 * results * dimensions.leftContracting.reduce(1) { $0 * Double(left[$1]) }
      case .reduceSum, .reduceMax:
        return total + Double(type(of: equation.operands[0]).shape.count)
      case .unary, .binary, .compare, .select, .convert, .pad, .concatenate, .reverse, .gather,
        .scatterAdd, .slice, .split, .transpose, .cumulativeSum, .sort:
        return total + results
      case .argMax:
        return total + Double(type(of: equation.operands[0]).shape.count)
      case .windowMax(let window), .windowSum(let window):
        return total + results * Double(window.sizes.reduce(1, *))
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
        return total + 2 * Double(output.count) * Double(kernel.removing([0]).count)
      case .stopGradient, .constant, .iota, .reshape, .broadcast:
        return total
      case .call(let body):
        return total + body.operationCount
      case .scan(let scan):
        return total + Double(scan.length) * scan.body.operationCount
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
