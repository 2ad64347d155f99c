import Foundation
import TensorPrograms
import Testing

@testable import OnnxBackend

/// Operators at the edges of what they allow, and files that try to exhaust the reader.
@Suite struct ImportEdgeTests {
  /// A graph of single-operator nodes over stored tensors, with `y` as the output. Everything that is
  /// known when the model is read is computed then.
  struct Sketch: Sendable, CustomTestStringConvertible {
    let testDescription: String
    var nodes: [Onnx_NodeProto]
    var tensors: [Onnx_TensorProto] = []
    var inputs: [String: Tensor] = [:]
    var functions: [Onnx_FunctionProto] = []
    var expected: [Double] = []

    func run() throws -> [Double] {
      var model = Onnx_ModelProto()
      model.irVersion = 10
      var (set, microsoft) = (Onnx_OperatorSetIdProto(), Onnx_OperatorSetIdProto())
      set.version = 20
      (microsoft.domain, microsoft.version) = ("com.microsoft", 1)
      model.opsetImport = [set, microsoft]
      model.graph.node = nodes
      model.graph.initializer = tensors
      model.functions = functions
      let names = inputs.keys.sorted()
      model.graph.input = names.map { name in
        var info = Onnx_ValueInfoProto()
        info.name = name
        info.type.tensorType.elemType = OnnxElement(inputs[name]!.element).rawValue
        return info
      }
      var output = Onnx_ValueInfoProto()
      output.name = "y"
      model.graph.output = [output]
      let read = try OnnxModel(data: model.serializedBytes())
      let types = names.isEmpty ? [TensorType.float32()] : names.map { inputs[$0]!.type }
      let program = try Program.trace(types) { values in
        try read.trace(
          inputs: Dictionary(uniqueKeysWithValues: zip(names, values)), outputs: ["y"],
          builder: values[0].builder)
      }
      let data = names.isEmpty ? [Tensor([0 as Float], shape: [])] : names.map { inputs[$0]! }
      return try ReferenceExecutor().compile(program).run(data)[0].doubles
    }
  }

  private static func node(
    _ operation: String, _ inputs: [String],
    _ attributes: KeyValuePairs<String, GraphBuilder.Attribute> = [:], to outputs: [String] = ["y"],
    domain: String = ""
  ) -> Onnx_NodeProto {
    var node = Onnx_NodeProto()
    (node.opType, node.input, node.output, node.domain) = (operation, inputs, outputs, domain)
    node.attribute = attributes.map { GraphBuilder.attribute($0, $1) }
    return node
  }

  private static func tensor<T>(
    _ name: String, _ dimensions: [Int], _ values: [T], _ element: OnnxElement
  ) -> Onnx_TensorProto {
    var tensor = Onnx_TensorProto()
    (tensor.name, tensor.dims, tensor.dataType) = (
      name, dimensions.map(Int64.init), element.rawValue
    )
    tensor.rawData = values.withUnsafeBytes { Data($0) }
    return tensor
  }

  private static func floats(_ name: String, _ dimensions: [Int], _ values: [Float])
    -> Onnx_TensorProto
  { tensor(name, dimensions, values, .float32) }

  private static func integers(_ name: String, _ dimensions: [Int], _ values: [Int64])
    -> Onnx_TensorProto
  { tensor(name, dimensions, values, .int64) }

  /// Zeros of a size that nobody can hold.
  private static func endless(_ name: String, _ dimensions: [Int64]) -> (
    Onnx_NodeProto, Onnx_TensorProto
  ) {
    (
      node("ConstantOfShape", [name + "Shape"], to: [name]),
      integers(name + "Shape", [dimensions.count], dimensions)
    )
  }

  // MARK: Values

  static let values: [Sketch] = [
    Sketch(
      testDescription: "a square that broadcasts", nodes: [node("Pow", ["a", "b"])],
      tensors: [floats("a", [2, 1], [3, 4]), floats("b", [3], [2, 2, 2])],
      expected: [9, 9, 9, 16, 16, 16]),
    Sketch(
      testDescription: "padding with NaN", nodes: [node("Pad", ["a", "p", "v"])],
      tensors: [
        floats("a", [2], [3, 4]), integers("p", [2], [1, 0]), floats("v", [], [.nan]),
      ], expected: [.nan, 3, 4]),
    Sketch(
      testDescription: "a logarithm of a sum of nothing but zeros",
      nodes: [node("ReduceLogSumExp", ["a", "axes"], ["keepdims": .int(0)])],
      tensors: [
        floats("a", [2, 2], [-.infinity, -.infinity, .infinity, 0]), integers("axes", [1], [1]),
      ], expected: [-.infinity, .infinity]),
    Sketch(
      testDescription: "an index that is nowhere",
      nodes: [node("OneHot", ["i", "depth", "v"])],
      tensors: [
        integers("i", [3], [0, 255, -1]), integers("depth", [], [2]), floats("v", [2], [0, 1]),
      ], expected: [1, 0, 0, 0, 0, 1]),
    Sketch(
      testDescription: "the least of large integers",
      nodes: [node("ReduceMin", ["a"], ["keepdims": .int(0)])],
      tensors: [integers("a", [2], [5, .min])], expected: [-0x1p63]),
    Sketch(
      testDescription: "a maximum below all 32-bit integers",
      nodes: [node("ScatterElements", ["a", "i", "u"], ["reduction": .string("max")])],
      tensors: [
        integers("a", [2], [-5_000_000_000, 1]), integers("i", [1], [1]), integers("u", [1], [7]),
      ], expected: [-5_000_000_000, 7]),
    Sketch(
      testDescription: "an ignored label beside an impossible class",
      nodes: [
        node("SoftmaxCrossEntropyLoss", ["s", "l"], ["ignore_index": .int(-1)])
      ],
      tensors: [
        floats("s", [2, 2], [-.infinity, 1, 0, 0]), integers("l", [2], [-1, 0]),
      ], expected: [Double(Float(0.6931472))]),
    Sketch(
      testDescription: "a nearest place by float32",
      nodes: [
        node(
          "Resize", ["a", "", "s"],
          [
            "coordinate_transformation_mode": .string("asymmetric"),
            "nearest_mode": .string("floor"), "mode": .string("nearest"),
          ])
      ],
      tensors: [
        floats("a", [9], (0..<9).map(Float.init)), floats("s", [1], [Float(4.0 / 3)]),
      ], expected: [0, 0, 1, 2, 3, 3, 4, 5, 6, 6, 7, 8]),
    Sketch(
      testDescription: "a mean whose skip has more axes",
      nodes: [
        node(
          "SkipLayerNormalization", ["a", "b", "g"], ["epsilon": .float(0)],
          domain: "com.microsoft")
      ],
      tensors: [
        floats("a", [2, 2], [0, 0, 0, 0]), floats("b", [1, 2, 2], [1, 3, 2, 6]),
        floats("g", [2], [1, 1]),
      ], expected: [-1, 1, -1, 1]),
  ]

  @Test(arguments: values) func value(_ sketch: Sketch) throws {
    let result = try sketch.run()
    #expect(result.count == sketch.expected.count)
    for (a, b) in zip(result, sketch.expected) {
      #expect(a == b || a.isNaN && b.isNaN || abs(a - b) < 1e-6, "\(result)")
    }
  }

  /// Writers leave out a number that is zero; its type then says that it is there.
  private static func small<T>(
    _ name: String, _ dimensions: [Int], _ values: [T], _ format: TensorFormat
  ) -> Onnx_TensorProto {
    var tensor = tensor(name, dimensions, values, .float32)
    tensor.dataType = format.rawValue
    return tensor
  }

  @Test func halfCannotHoldEveryNumber() throws {
    var model = Onnx_ModelProto()
    model.irVersion = 10
    model.opsetImport = [.with { $0.version = 18 }]
    model.graph.initializer = [Self.small("w", [1], [UInt16(0x3C00)], .float16)]
    let read = try OnnxModel(data: model.serializedBytes(), isUniform: true)
    _ = try read.settingInitializers(["w": Tensor([65519 as Float], shape: [1])])
    #expect(throws: OnnxModelError.self) {
      try read.settingInitializers(["w": Tensor([65520 as Float], shape: [1])])
    }
  }

  @Test func twoZeroPointsOfOneScale() throws {
    let whole: [Int8] = [1, -2, 3, 4]
    let sketch = Sketch(
      testDescription: "an integer tensor that two nodes read",
      nodes: [
        Self.node("DequantizeLinear", ["q", "s", "three"], to: ["a"]),
        Self.node("DequantizeLinear", ["q", "s", "four"], to: ["b"]),
        Self.node("DequantizeLinear", ["q", "s", "three"], to: ["c"]),
        Self.node("Sub", ["a", "b"], to: ["d"]), Self.node("Add", ["d", "c"]),
      ],
      tensors: [
        Self.small("q", [4], whole, .int8), Self.floats("s", [], [0.5]),
        Self.small("three", [], [Int8(3)], .int8), Self.small("four", [], [Int8(4)], .int8),
      ])
    #expect(try sketch.run() == whole.map { 0.5 + 0.5 * (Double($0) - 3) })
  }

  /// Quantised nodes without inputs or outputs, or of less than a byte.
  @Test func quantisedNodesThatLackWhatTheyNeed() throws {
    let bytes = Self.small("q", [2, 2], [Int8](repeating: 1, count: 4), .int8)
    let scales = Self.floats("s", [12], [Float](repeating: 1, count: 12))
    let sketches: [[Onnx_NodeProto]] = [
      [Self.node("MatMulInteger", ["x", "q"], to: [])],
      [
        Self.node("Identity", [], to: ["a"]),
        Self.node("DequantizeLinear", ["a", "one"], to: ["b"]),
      ],
      [
        Self.node(
          "MatMulNBits", ["x", "none", "s"],
          ["K": .int(4), "N": .int(3), "bits": .int(4), "block_size": .int(1)], to: ["b"],
          domain: "com.microsoft")
      ],
    ]
    for nodes in sketches {
      let sketch = Sketch(
        testDescription: "", nodes: nodes + [Self.node("Identity", ["x"])],
        tensors: [
          bytes, scales, Self.floats("one", [], [1]), Self.small("none", [0], [UInt8](), .uint8),
        ], inputs: ["x": Tensor([1 as Float, 2], shape: [1, 2])])
      #expect(try sketch.run() == [1, 2])
    }
  }

  @Test func zeroThatIsLeftOut() throws {
    var reduction = Self.node("ReduceSum", ["a"], ["keepdims": .int(0)])
    reduction.attribute[0].clearI()
    reduction.output = ["sum"]
    let rank = Sketch(
      testDescription: "", nodes: [reduction, Self.node("Shape", ["sum"])],
      tensors: [Self.floats("a", [2], [1, 2])])
    #expect(try rank.run().isEmpty)
  }

  // MARK: Refusals

  private static func loop(_ trips: Int64, condition: Onnx_TensorProto) -> Sketch {
    var body = Onnx_GraphProto()
    for name in ["i", "c", "v"] {
      var info = Onnx_ValueInfoProto()
      info.name = name
      body.input.append(info)
    }
    body.node = [node("Add", ["v", "v"], to: ["w"])]
    for name in ["c", "w"] {
      var info = Onnx_ValueInfoProto()
      info.name = name
      body.output.append(info)
    }
    return Sketch(
      testDescription: "a loop of \(trips) steps under a condition of \(condition.dims)",
      nodes: [node("Loop", ["m", "start", "x"], ["body": .graph(body)])],
      tensors: [integers("m", [], [trips]), condition],
      inputs: ["x": Tensor([1 as Float], shape: [1])])
  }

  /// A function whose attribute's default is a graph that calls it, or holds a reference to itself.
  private static func recursive(_ isDefault: Bool) -> Sketch {
    var branch = Onnx_GraphProto()
    var output = Onnx_ValueInfoProto()
    output.name = "r"
    branch.output = [output]
    branch.node = [node("F", ["t"], to: ["r"], domain: "own")]
    if !isDefault {
      var reference = Onnx_AttributeProto()
      (reference.name, reference.refAttrName, reference.type) = ("value", "b", .graph)
      branch.node = [node("Constant", [], to: ["r"])]
      branch.node[0].attribute = [reference]
    }
    var function = Onnx_FunctionProto()
    (function.name, function.domain) = ("F", "own")
    (function.input, function.output) = (["t"], ["z"])
    var choice = node("If", ["t"], ["then_branch": .int(0), "else_branch": .int(0)], to: ["z"])
    for index in 0..<2 {
      choice.attribute[index].refAttrName = "b"
      choice.attribute[index].type = .graph
    }
    function.node = [choice]
    var set = Onnx_OperatorSetIdProto()
    set.version = 20
    function.opsetImport = [set]
    var call = node("F", ["t"], domain: "own")
    if isDefault {
      function.attributeProto = [GraphBuilder.attribute("b", .graph(branch))]
    } else {
      function.attribute = ["b"]
      call.attribute = [GraphBuilder.attribute("b", .graph(branch))]
    }
    return Sketch(
      testDescription:
        "a function that \(isDefault ? "its default calls" : "gets a graph of itself")",
      nodes: [call], tensors: [tensor("t", [], [UInt8(1)], .bool)], functions: [function])
  }

  static let refusals: [Sketch] = {
    let (wide, wideShape) = endless("a", [1 << 40, 1, 1])
    let (deep, deepShape) = endless("b", [1, 1 << 40, 1])
    let (image, imageShape) = endless("a", [1, 1 << 40, 1])
    return [
      recursive(true), recursive(false),
      loop(3, condition: tensor("start", [2], [UInt8(1), 1], .bool)),
      loop(1 << 40, condition: tensor("start", [], [UInt8(1)], .bool)),
      Sketch(
        testDescription: "a transposed convolution of nothing",
        nodes: [
          node("ConvTranspose", ["a", "w"], ["strides": .ints([3]), "output_shape": .ints([5])])
        ], tensors: [floats("a", [1, 1, 0], []), floats("w", [1, 1, 1], [1])]),
      Sketch(
        testDescription: "a transposed convolution in endless groups",
        nodes: [node("ConvTranspose", ["a", "w"], ["group": .int(.max)])],
        tensors: [floats("a", [1, 0, 1], []), floats("w", [0, 2, 1], [])]),
      Sketch(
        testDescription: "a convolution in endless groups",
        nodes: [image, node("Conv", ["a", "a"], ["group": .int(1 << 40)])], tensors: [imageShape]),
      Sketch(
        testDescription: "a sum of more entries than there are integers",
        nodes: [
          wide, deep,
          node("SkipLayerNormalization", ["a", "b", "g"], domain: "com.microsoft"),
        ], tensors: [wideShape, deepShape, floats("g", [1], [1])]),
      Sketch(
        testDescription: "padding by the lowest integer", nodes: [node("Pad", ["a", "p"])],
        tensors: [floats("a", [1], [1]), integers("p", [2], [.min, 0])]),
      Sketch(
        testDescription: "a window of a million",
        nodes: [
          node(
            "MaxPool", ["a"],
            ["kernel_shape": .ints([1 << 20]), "pads": .ints([1 << 20 - 1, 1 << 20 - 1])])
        ], tensors: [floats("a", [1, 1, 1], [1])]),
    ]
  }()

  @Test(arguments: refusals) func refusal(_ sketch: Sketch) {
    do {
      let result = try sketch.run()
      Issue.record("it gave \(result.count) numbers")
    } catch {
      #expect(!"\(error)".contains("\n") && "\(error)".count > 20)
    }
  }
}
