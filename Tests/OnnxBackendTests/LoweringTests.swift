import TensorPrograms
import Testing

@testable import OnnxBackend

/// What a program becomes in ONNX: the operators, in order.
@Suite struct LoweringTests {
  struct Case: Sendable, CustomStringConvertible {
    var description: String
    var inputs: [TensorType]
    var operations: [String]
    var body: @Sendable ([Traced]) -> [Traced]

    init(
      _ description: String, _ inputs: [TensorType], _ operations: [String],
      _ body: @escaping @Sendable ([Traced]) -> [Traced]
    ) {
      self.description = description
      self.inputs = inputs
      self.operations = operations
      self.body = body
    }
  }

  static let cases: [Case] = [
    Case(
      "a broadcast that only elementwise operators read is left to them",
      [.float32(4, 3), .float32(3)], ["Mul", "Tanh"]
    ) { [($0[0] * $0[1]).tanh()] },
    Case(
      "a broadcast along trailing axes is a view", [.float32(4, 3), .float32(4)],
      ["Reshape", "Mul"]
    ) { [$0[0] * $0[1].reshaped([4, 1])] },
    Case(
      "updates that may meet are added one after the other", [.float32(4, 3), .int64(4)],
      ["Reshape", "Reshape", "Expand", "Expand", "ScatterElements", "Reshape"]
    ) { [$0[0].scatterAdd($0[1], axis: 0, size: 2)] },
    Case(
      "a number needs no broadcast", [.float32(4, 3)], ["Mul"]
    ) { [$0[0] * 3] },
    Case(
      "transpositions fold into the product", [.float32(3, 4), .float32(5, 3)], ["Gemm"]
    ) { [$0[0].transposed([1, 0]).matmul($0[1].transposed([1, 0]))] },
    Case(
      "two transpositions cancel", [.float32(3, 4)], ["Tanh"]
    ) { [$0[0].transposed([1, 0]).tanh().transposed([1, 0])] },
    Case(
      "a bias is part of the product", [.float32(4, 3), .float32(3, 5), .float32(5)], ["Gemm"]
    ) { [$0[0].matmul($0[1]) + $0[2]] },
    Case(
      "a number multiplies within the product", [.float32(4, 3), .float32(3, 5)], ["Gemm"]
    ) { [$0[0].matmul($0[1]) * 0.1] },
    Case(
      "float64 keeps a factor that float32 cannot hold", [.float64(4, 3), .float64(3, 5)],
      ["Gemm", "Mul"]
    ) { [$0[0].matmul($0[1]) * 0.1] },
    Case(
      "sums of products and biases are a chain of products",
      [.float32(4, 3), .float32(3, 5), .float32(4, 2), .float32(2, 5), .float32(5)],
      ["Gemm", "Gemm", "Tanh"]
    ) { [($0[0].matmul($0[1]) + $0[2].matmul($0[3]) + $0[4]).tanh()] },
    Case(
      "a product that is read twice takes nothing in",
      [.float32(4, 3), .float32(3, 5), .float32(5)], ["Gemm", "Add", "Mul"]
    ) {
      let product = $0[0].matmul($0[1])
      return [(product + $0[2]) * product]
    },
    Case(
      "a stack of matrices against one weight is one product",
      [.float32(6, 4, 3), .float32(3, 5)], ["Reshape", "Gemm", "Reshape"]
    ) { [$0[0].matmul($0[1])] },
    Case(
      "one matrix against a stack is not repeated", [.float32(4, 3), .float32(6, 3, 5)],
      ["MatMul"]
    ) {
      let product = $0[0].dot($0[1], DotDimensions(contracting: [1], [1]))
      return [product.transposed([1, 0, 2])]
    },
    Case(
      "a batch of products keeps its transposition", [.float32(6, 4, 3), .float32(6, 5, 3)],
      ["FusedMatMul"]
    ) { [$0[0].dot($0[1], DotDimensions(contracting: [2], [2], batch: [0], [0]))] },
    Case(
      "a batch of inner products is a sum", [.float32(6, 3), .float32(6, 3)],
      ["Mul", "ReduceSum"]
    ) { [$0[0].dot($0[1], DotDimensions(contracting: [1], [1], batch: [0], [0]))] },
    Case(
      "an outer product is a multiplication", [.float32(4), .float32(3)], ["Reshape", "Mul"]
    ) { [$0[0].dot($0[1], DotDimensions(contracting: [], []))] },
    Case(
      "the sum of a broadcast is a multiple", [.float32(3)], ["Mul"]
    ) { [$0[0].broadcast(to: [4, 3]).sum([0])] },
    Case(
      "axes of one entry come and go", [.float32(4, 1, 3)], ["Exp", "Reshape"]
    ) { [$0[0].reshaped([4, 3]).exp().reshaped([1, 4, 3])] },
    Case(
      "a convolution and its transposes have operators",
      [.float32(2, 3, 8, 8), .float32(4, 3, 3, 3)],
      ["Conv", "ConvTranspose", "Slice", "Reshape", "Transpose", "Reshape", "Conv"]
    ) {
      let image = $0[0].convolved($0[1], strides: [2, 2], low: [1, 1], high: [1, 1])
      let same = image.convolutionTransposed(
        $0[1], spatial: [8, 8], strides: [2, 2], low: [1, 1], high: [1, 1])
      return [
        same,
        image.convolutionTransposed($0[1], spatial: [4, 4], low: [1, 1], high: [1, 1]),
      ]
    },
    Case(
      "a kernel's cotangent is one convolution over interleaved channels",
      [.float32(2, 3, 8, 8), .float32(2, 4, 4, 4)],
      ["Transpose", "Reshape", "Transpose", "Conv", "Reshape", "Transpose"]
    ) {
      let kernel = Convolution(
        strides: [2, 2], low: [1, 1], high: [1, 1], role: .kernel(window: [3, 3]))
      return $0[0].builder.emit(.convolution(kernel), $0)
    },
    Case(
      "windows have operators", [.float32(2, 3, 8, 8)],
      ["Reshape", "MaxPool", "Reshape", "Reshape", "AveragePool", "Reshape", "Mul"]
    ) {
      let largest = $0[0].windowMax(sizes: [3, 3], strides: [2, 2], low: [1, 1])
      return [largest, largest.windowSum(sizes: [2, 2])]
    },
  ]

  @Test(arguments: cases)
  func operations(_ row: Case) throws {
    let program = try Program.trace(row.inputs) { row.body($0) }
    let model = try ProgramLowering.lower(program)
    #expect(model.operations == row.operations, "\(program)")
    // Whatever it became, it computes what the interpreter computes.
    let inputs = row.inputs.enumerated().map { index, type in
      Tensor((0..<type.shape.count).map { Double($0 % 5 - index) / 4 }, type: type)
    }
    let expected = try ReferenceExecutor().compile(program).run(inputs)
    let results = try OnnxExecutor().compile(program).run(inputs)
    for (result, reference) in zip(results, expected) {
      #expect(zip(result.doubles, reference.doubles).allSatisfy { abs($0 - $1) < 1e-5 })
    }
  }

  /// Channels that fill whole blocks, at every stride, dilation and padding that the blocked operator
  /// is given, and beside them an odd number that it is not.
  @Test(arguments: [
    Convolution(strides: [1, 1], low: [1, 1], high: [1, 1]),
    Convolution(strides: [2, 3], dilation: [1, 2], low: [0, 1], high: [2, 0]),
    Convolution(strides: [1, 1], dilation: [2, 2], low: [3, 0], high: [0, 3]),
    Convolution(strides: [1, 1], low: [4, 5], high: [6, 3]),
  ])
  func blockedConvolutions(_ convolution: Convolution) throws {
    let environment = try OnnxRuntime.environment()
    let block = ChannelBlock.find(environment)
    #if arch(x86_64)
      #expect(block == 8 || block == 16)
    #endif
    for (channels, isBlocked) in [(32, true), (20, false)] {
      let types: [TensorType] = [.float32(2, channels, 7, 9), .float32(32, channels, 3, 2)]
      let program = try Program.trace(types) { x in
        let image = x[0].builder.emit(.convolution(convolution), x)[0]
        var transposed = convolution
        transposed.role = .input(spatial: [7, 9])
        return [image] + x[0].builder.emit(.convolution(transposed), [image, x[1]])
      }
      let operations = try ProgramLowering.lower(program, channelBlock: block).operations
      #expect(operations.contains("ReorderOutput") == (isBlocked && block != nil), "\(operations)")
      let inputs = types.map { type in
        Tensor((0..<type.shape.count).map { Double($0 * 37 % 23 - 11) }, type: type)
      }
      let expected = try ReferenceExecutor().compile(program).run(inputs)
      let results = try OnnxExecutor().compile(program).run(inputs)
      for (result, reference) in zip(results, expected) {
        let scale = reference.doubles.map(\.magnitude).max()!
        #expect(
          zip(result.doubles, reference.doubles).allSatisfy { abs($0 - $1) <= 1e-6 * scale })
      }
    }
  }

  /// Eight Hessian products of a network at once: no transposition of anything.
  @Test func batchedHessianProductsTransposeNothing() throws {
    let types: [TensorType] = [
      .float32(16, 6), .float32(16, 3), .float32(6, 5), .float32(5), .float32(5, 3), .float32(3),
    ]
    let loss = try Program.trace(types) { inputs in
      let hidden = (inputs[0].matmul(inputs[2]) + inputs[3]).tanh()
      let scores = hidden.matmul(inputs[4]) + inputs[5]
      return [(scores.logSoftmax(axis: 1) * inputs[1]).sum() * -0.0625]
    }
    let linear = try loss.hessianProduct(withRespectTo: [2, 3, 4, 5])
    let residuals = linear.residualTypes.count
    let eight = linear.linear.vmap(
      batched: linear.linear.inputs.indices.map { $0 >= residuals }, size: 8)
    for program in [linear.linear, eight, eight.simplified()] {
      let operations = try ProgramLowering.lower(program).operations
      #expect(!operations.contains("Transpose"), "\(operations)\n\(program)")
      #expect(!operations.contains("Expand"), "\(operations)\n\(program)")
    }
  }
}
