import Foundation
import TensorPrograms
import Testing

@testable import OnnxBackend

/// Model files that are read, bound to data and written back, and those that are refused.
@Suite struct ImportTests {
  // MARK: A small model: y = relu(x w + b), with w maybe in another file

  private static func node(
    _ operation: String, _ inputs: [String], _ outputs: [String], name: String = "",
    _ attributes: KeyValuePairs<String, GraphBuilder.Attribute> = [:]
  ) -> Onnx_NodeProto {
    var node = Onnx_NodeProto()
    (node.opType, node.input, node.output, node.name) = (operation, inputs, outputs, name)
    node.attribute = attributes.map { GraphBuilder.attribute($0, $1) }
    return node
  }

  private static func tensor(_ name: String, _ dimensions: [Int], _ values: [Float])
    -> Onnx_TensorProto
  {
    var tensor = Onnx_TensorProto()
    (tensor.name, tensor.dims, tensor.dataType) = (name, dimensions.map(Int64.init), 1)
    tensor.rawData = values.withUnsafeBytes { Data($0) }
    return tensor
  }

  private static func info(_ name: String, _ dimensions: [String]) -> Onnx_ValueInfoProto {
    var info = Onnx_ValueInfoProto()
    info.name = name
    info.type.tensorType.elemType = 1
    info.type.tensorType.shape.dim = dimensions.map { text in
      var dimension = Onnx_TensorShapeProto.Dimension()
      if let size = Int64(text) { dimension.dimValue = size } else { dimension.dimParam = text }
      return dimension
    }
    return info
  }

  static func model() -> Onnx_ModelProto {
    var model = Onnx_ModelProto()
    model.irVersion = 8
    var set = Onnx_OperatorSetIdProto()
    set.version = 17
    model.opsetImport = [set]
    model.graph.name = "g"
    model.graph.input = [info("x", ["batch", "2"])]
    model.graph.output = [info("y", ["batch", "3"])]
    model.graph.initializer = [
      tensor("w", [2, 3], [1, 2, 3, 4, 5, 6]), tensor("b", [3], [0.5, -100, 0]),
    ]
    model.graph.node = [
      node("MatMul", ["x", "w"], ["xw"], name: "product"),
      node("Add", ["xw", "b"], ["z"], name: "bias"),
      node("Relu", ["z"], ["y"], name: "activation"),
    ]
    return model
  }

  private static func read(_ model: Onnx_ModelProto, folder: URL? = nil) throws -> OnnxModel {
    try OnnxModel(data: model.serializedBytes(), folder: folder)
  }

  private static func run(_ model: OnnxModel, _ inputs: [String: Tensor]) throws -> [Tensor] {
    let names = inputs.keys.sorted()
    let program = try Program.trace(names.map { inputs[$0]!.type }) { values in
      try model.trace(
        inputs: Dictionary(uniqueKeysWithValues: zip(names, values)), outputs: model.outputs,
        builder: values[0].builder)
    }
    return try ReferenceExecutor().compile(program).run(names.map { inputs[$0]! })
  }

  private static let x = Tensor([1, 1, 1, 2] as [Float], shape: [2, 2])
  private static let y = Tensor([5.5, 0, 9, 9.5, 0, 15] as [Float], shape: [2, 3])

  private static func temporaryFolder() throws -> URL {
    let folder = FileManager.default.temporaryDirectory
      .appendingPathComponent("eigenstep-import-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    return folder
  }

  // MARK: Reading

  @Test func aModelComputes() throws {
    let model = try Self.read(Self.model())
    #expect(model.inputs[0].dimensions == [.symbolic("batch"), .fixed(2)])
    #expect(try Self.run(model, ["x": Self.x]) == [Self.y])
  }

  @Test func float32ModelsWiden() throws {
    let model = try OnnxModel(data: Self.model().serializedBytes(), element: .float64)
    let wide = Tensor(Self.x.doubles, type: .float64(2, 2))
    #expect(try Self.run(model, ["x": wide])[0].doubles == Self.y.doubles)
  }

  @Test func functionsAreExpandedWithTheirAttributes() throws {
    var proto = Self.model()
    var function = Onnx_FunctionProto()
    (function.name, function.domain) = ("Leak", "custom")
    (function.input, function.output, function.attribute) = (["a"], ["r"], ["slope"])
    var inner = Self.node("LeakyRelu", ["a"], ["r"], ["alpha": .float(0)])
    inner.attribute[0].refAttrName = "slope"
    function.node = [inner]
    function.opsetImport = proto.opsetImport
    proto.functions = [function]
    var call = Self.node("Leak", ["z"], ["y"], ["slope": .float(0.5)])
    call.domain = "custom"
    proto.graph.node[2] = call
    let result = try Self.run(Self.read(proto), ["x": Self.x])[0]
    #expect(result.doubles == [5.5, -46.5, 9, 9.5, -44, 15])
  }

  @Test func parametersAreWhatALossDependsOn() throws {
    var proto = Self.model()
    proto.graph.initializer += [
      Self.tensor("low", [], [0]), Self.tensor("mean", [3], [0, 0, 0]),
      Self.tensor("unused", [3], [0, 0, 0]), Self.tensor("roi", [1], [0]),
    ]
    proto.graph.node[2] = Self.node("Clip", ["z", "low"], ["c"])
    proto.graph.node.append(Self.node("Mul", ["c", "mean"], ["m"]))
    proto.graph.node.append(Self.node("Greater", ["m", "roi"], ["g"]))
    proto.graph.node.append(Self.node("Where", ["g", "m", "c"], ["y"]))
    let model = try Self.read(proto)
    #expect(try model.parameters(for: ["y"]).map(\.name) == ["w", "b", "mean"])
    let constants = try model.storedTensors(for: ["y"]).filter { $0.reason != nil }
    #expect(constants.map(\.name) == ["low", "unused", "roi"])
    #expect(try model.parameters(for: ["xw"]).map(\.name) == ["w"])
  }

  // MARK: Writing

  @Test func writtenModelsHoldTheirDataAndTheirNewValues() throws {
    let folder = try Self.temporaryFolder()
    defer { try? FileManager.default.removeItem(at: folder) }
    var proto = Self.model()
    let bytes = proto.graph.initializer[0].rawData
    try (Data([7, 7, 7, 7]) + bytes).write(to: folder.appendingPathComponent("w.bin"))
    Self.moveOut(&proto.graph.initializer[0], to: "w.bin", offset: "4", length: "24")
    let source = folder.appendingPathComponent("m.onnx").path
    try proto.serializedData().write(to: URL(fileURLWithPath: source))
    let model = try OnnxModel(contentsOf: source)
    #expect(try Self.run(model, ["x": Self.x]) == [Self.y])

    let copy = folder.appendingPathComponent("copy.onnx").path
    try model.settingInitializers(["b": Tensor([1, 1, 1.0], type: .float64(3))])
      .write(to: URL(fileURLWithPath: copy))
    try FileManager.default.removeItem(at: folder.appendingPathComponent("w.bin"))
    let written = try OnnxModel(contentsOf: copy)
    #expect(written.initializers["w"] == model.initializers["w"])
    #expect(written.initializers["b"] == Tensor([1, 1, 1] as [Float], shape: [3]))
    #expect(throws: OnnxModelError.self) {
      try model.settingInitializers(["b": Tensor([1.0], type: .float64(1))])
    }
    // ONNX Runtime takes the file, too.
    _ = try OnnxSession(
      environment: OnnxRuntime.environment(), model: Data(contentsOf: URL(fileURLWithPath: copy)),
      inputs: ["x"], outputs: ["y"])
  }

  private static func moveOut(
    _ tensor: inout Onnx_TensorProto, to location: String, offset: String = "0",
    length: String? = nil
  ) {
    func entry(_ key: String, _ value: String) -> Onnx_StringStringEntryProto {
      var entry = Onnx_StringStringEntryProto()
      (entry.key, entry.value) = (key, value)
      return entry
    }
    tensor.rawData = Data()
    tensor.dataLocation = .external
    tensor.externalData = [entry("location", location), entry("offset", offset)]
    if let length { tensor.externalData.append(entry("length", length)) }
  }

  // MARK: Refusals

  struct Refusal: Sendable, CustomTestStringConvertible {
    var testDescription: String
    /// What the sentence must hold.
    var words: [String]
    var change: @Sendable (inout Onnx_ModelProto) -> Void

    init(
      _ name: String, _ words: String...,
      change: @escaping @Sendable (inout Onnx_ModelProto) -> Void
    ) {
      (testDescription, self.words, self.change) = (name, words, change)
    }
  }

  static let refusals = [
    Refusal("unknown operator", "'activation'", "NonMaxSuppression", "catalogue") {
      $0.graph.node[2].opType = "NonMaxSuppression"
    },
    Refusal("cycle", "'product'", "'z'", "cycles") { $0.graph.node[0].input[0] = "z" },
    Refusal("undefined value", "'bias'", "'nowhere'") { $0.graph.node[1].input[1] = "nowhere" },
    Refusal("value made twice", "'xw'", "twice") { $0.graph.node[1].output = ["xw"] },
    Refusal("missing output", "'y'") { $0.graph.node.removeLast() },
    Refusal("two initializers", "'w'") { $0.graph.initializer[1].name = "w" },
    Refusal("two inputs", "'x'") { $0.graph.input.append($0.graph.input[0]) },
    Refusal("too few bytes", "'w'", "24", "20") { $0.graph.initializer[0].rawData.removeLast(4) },
    Refusal("negative size", "'w'", "-2") { $0.graph.initializer[0].dims = [-2, -3] },
    Refusal("overflowing size", "'w'") { $0.graph.initializer[0].dims = [1 << 62, 1 << 62, 0] },
    Refusal("text", "'w'", "string") { $0.graph.initializer[0].dataType = 8 },
    Refusal("shapes that do not fit", "'bias'", "Add", "[3]") {
      $0.graph.initializer[0] = tensor("w", [2, 2], [1, 2, 3, 4])
    },
    Refusal("old operator set", "operator set 8", "9 to") { $0.opsetImport[0].version = 8 },
    Refusal("new operator set", "operator set 99") { $0.opsetImport[0].version = 99 },
    Refusal("old intermediate representation", "IR version 2") { $0.irVersion = 2 },
    Refusal("no operator set", "version") { $0.opsetImport = [] },
    Refusal("no graph", "no ONNX graph") { $0.clearGraph() },
    Refusal("huge constant", "huge") {
      var shape = Onnx_TensorProto()
      (shape.name, shape.dims, shape.dataType) = ("s", [3], 7)
      shape.int64Data = [1 << 30, 1 << 30, 1 << 30]
      $0.graph.initializer.append(shape)
      $0.graph.node.append(node("ConstantOfShape", ["s"], ["c"], name: "huge"))
      $0.graph.output[0].name = "c"
    },
    Refusal("endless loop", "endless") {
      var body = Onnx_GraphProto()
      body.input = ["i", "goesOn"].map { info($0, []) }
      body.output = [info("goesOn", [])]
      var attribute = Onnx_AttributeProto()
      (attribute.name, attribute.g) = ("body", body)
      var count = Onnx_TensorProto()
      (count.name, count.dims, count.dataType, count.int64Data) = ("n", [], 7, [1 << 62])
      $0.graph.initializer.append(count)
      var loop = node("Loop", ["n", ""], ["nothing"], name: "endless")
      loop.attribute = [attribute]
      $0.graph.node.append(loop)
      $0.graph.output[0].name = "nothing"
    },
    Refusal("function that calls itself", "'f'", "itself") {
      var function = Onnx_FunctionProto()
      (function.name, function.domain) = ("f", "d")
      (function.input, function.output) = (["a"], ["r"])
      var call = node("f", ["a"], ["r"])
      call.domain = "d"
      function.node = [call]
      $0.functions = [function]
    },
    Refusal("graphs too deep", "deep") {
      var graph = Onnx_GraphProto()
      for _ in 0..<24 {
        var outer = Onnx_GraphProto()
        outer.node = [node("If", ["x"], [])]
        var attribute = Onnx_AttributeProto()
        (attribute.name, attribute.g) = ("then_branch", graph)
        outer.node[0].attribute = [attribute]
        graph = outer
      }
      $0.graph.node.append(graph.node[0])
    },
  ]

  @Test(arguments: refusals)
  func refuses(_ refusal: Refusal) throws {
    var proto = Self.model()
    refusal.change(&proto)
    let message: String
    do {
      _ = try Self.run(Self.read(proto), ["x": Self.x])
      message = "nothing"
    } catch { message = "\(error)" }
    for word in refusal.words { #expect(message.contains(word), "\(message)") }
    #expect(!message.contains("\n"))
  }

  @Test(arguments: [
    ("/etc/hostname", "0", "24", "outside"), ("../w.bin", "0", "24", "outside"),
    ("link/w.bin", "0", "24", "outside"), ("w.bin", "8", "24", "24"), ("w.bin", "0", "20", "24"),
    ("w.bin", "-1", "24", "offset"), ("w.bin", "9223372036854775807", "24", "w.bin"),
    ("missing.bin", "0", "24", "no file"), ("folder", "0", "24", "regular"),
  ])
  func refusesExternalData(_ location: String, _ offset: String, _ length: String, _ word: String)
    throws
  {
    let outside = try Self.temporaryFolder()
    defer { try? FileManager.default.removeItem(at: outside) }
    let folder = outside.appendingPathComponent("model")
    try FileManager.default.createDirectory(
      at: folder.appendingPathComponent("folder"), withIntermediateDirectories: true)
    for place in [outside, folder] {
      try Data(count: 24).write(to: place.appendingPathComponent("w.bin"))
    }
    try FileManager.default.createSymbolicLink(
      at: folder.appendingPathComponent("link"), withDestinationURL: outside)
    var proto = Self.model()
    Self.moveOut(&proto.graph.initializer[0], to: location, offset: offset, length: length)
    #expect { try Self.read(proto, folder: folder) } throws: { error in
      "\(error)".contains("'w'") && "\(error)".contains(word)
    }
  }

  @Test func dataThatDoesNotFitIsNamedWithBothShapes() throws {
    let model = try Self.read(Self.model())
    #expect { try Self.run(model, ["x": Tensor([1, 2, 3] as [Float], shape: [1, 3])]) } throws: {
      "\($0)".contains("'x'") && "\($0)".contains("[batch, 2]") && "\($0)".contains("[1, 3]")
    }
    #expect { try Self.run(model, ["x": Tensor([1, 2], type: .float64(1, 2))]) } throws: {
      "\($0)".contains("float32") && "\($0)".contains("float64")
    }
  }
}
