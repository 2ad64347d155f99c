import TensorPrograms

/// One node while it is imported: its inputs, its attributes, and where its equations go.
struct NodeContext {
  let node: Onnx_NodeProto
  /// The version of the operator set of the node's domain.
  let operatorSet: Int
  /// The versions of all domains, for the node's graphs.
  let operatorSets: [String: Int]
  let builder: ProgramBuilder
  let importer: GraphImporter
  var scope: Scope
  /// The inputs in order; nil where an optional one is left out.
  let values: [Traced?]

  var isTraining: Bool { importer.options.isTraining }
  /// How many elements may be computed while reading.
  var foldingLimit: Int { importer.options.limits.foldedElements }
  var seed: UInt64 { importer.options.seed }
  /// How many outputs the node names, trailing ones left out aside.
  var outputCount: Int { (node.output.lastIndex { !$0.isEmpty } ?? -1) + 1 }
  var inputCount: Int { values.count }

  /// The node's name, or that of its first output.
  var label: String { node.name.isEmpty ? node.output.first ?? "" : node.name }

  func fail(_ why: String) -> OnnxModelError {
    OnnxModelError("\(node.place): \(why)")
  }
}

extension Onnx_NodeProto {
  /// The node as errors name it: an unnamed one by its first output.
  var place: String {
    name.isEmpty
      ? "The node of '\(output.first { !$0.isEmpty } ?? "nothing")' (\(opType))"
      : "Node '\(name)' (\(opType))"
  }
}

// MARK: Inputs

extension NodeContext {
  /// - Throws: where the node leaves the input out.
  func input(_ index: Int) throws -> Traced {
    guard let value = optionalInput(index) else { throw fail("its input \(index) is missing") }
    return value
  }

  func optionalInput(_ index: Int) -> Traced? {
    values.indices.contains(index) ? values[index] : nil
  }

  /// All inputs, none of which may be left out.
  func allInputs() throws -> [Traced] { try values.indices.map(input) }

  /// The value of an input that must be known when the model is read.
  func constant(_ index: Int) throws -> Tensor {
    guard let value = builder.constantValue(of: try input(index)) else {
      throw fail(
        "its input \(index) ('\(node.input[index])') must be known when the model is read, but it "
          + "depends on the model's inputs or parameters")
    }
    return value
  }

  func optionalConstant(_ index: Int) throws -> Tensor? {
    optionalInput(index) == nil ? nil : try constant(index)
  }

  /// `constant(index)` as integers.
  func integers(_ index: Int) throws -> [Int] {
    let value = try constant(index)
    switch value.storage {
    case .int32(let values): return values.map(Int.init)
    case .int64(let values): return values.map(Int.init)
    case .float32, .float64, .bool:
      throw fail("its input \(index) must hold integers, not \(value.type)")
    }
  }

  func optionalIntegers(_ index: Int) throws -> [Int]? {
    optionalInput(index) == nil ? nil : try integers(index)
  }

  /// The one number of a constant input.
  func number(_ index: Int) throws -> Double {
    let value = try constant(index)
    guard value.shape.count == 1 else {
      throw fail("its input \(index) must be one number, not \(value.type)")
    }
    return value.scalarValue
  }

  func optionalNumber(_ index: Int) throws -> Double? {
    optionalInput(index) == nil ? nil : try number(index)
  }
}

extension ProgramBuilder {
  /// The value of a traced constant, or nil for anything else.
  func constantValue(of value: Traced) -> Tensor? {
    if case .constant(let tensor)? = definition(of: value.variable)?.primitive {
      tensor
    } else {
      nil
    }
  }
}

// MARK: Attributes

extension NodeContext {
  private func attribute(_ name: String) -> Onnx_AttributeProto? {
    node.attribute.first { $0.name == name }
  }

  // A number may be left out of the file where it is zero: then the type alone says that it is there.
  func int(_ name: String) -> Int? {
    attribute(name).flatMap { $0.hasI || $0.type == .int ? Int($0.i) : nil }
  }
  func int(_ name: String, _ fallback: Int) -> Int { int(name) ?? fallback }
  func flag(_ name: String, _ fallback: Bool = false) -> Bool { int(name, fallback ? 1 : 0) != 0 }
  func ints(_ name: String) -> [Int]? { attribute(name).map { $0.ints.map(Int.init) } }

  func float(_ name: String) -> Double? {
    // Through its shortest decimal form: an exporter that writes 0.1 means 0.1, also in float64.
    attribute(name).flatMap { $0.hasF || $0.type == .float ? Self.decimal($0.f) : nil }
  }
  func float(_ name: String, _ fallback: Double) -> Double { float(name) ?? fallback }
  func floats(_ name: String) -> [Double]? { attribute(name).map { $0.floats.map(Self.decimal) } }

  func string(_ name: String, _ fallback: String) -> String {
    guard let attribute = attribute(name), attribute.hasS || attribute.type == .string else {
      return fallback
    }
    return String(decoding: attribute.s, as: UTF8.self)
  }
  func strings(_ name: String) -> [String]? {
    attribute(name).map { $0.strings.map { String(decoding: $0, as: UTF8.self) } }
  }

  /// A tensor kept as an attribute.
  func tensor(_ name: String) throws -> Tensor? {
    guard let attribute = attribute(name), attribute.hasT else { return nil }
    return try importer.reader.tensor(attribute.t, named: "\(name) of \(node.place)")
  }

  private static func decimal(_ value: Float) -> Double { Double("\(value)") ?? Double(value) }
}

// MARK: Checks

extension NodeContext {
  /// The axis that `value` means, negative from the end, of a tensor with `rank` axes.
  func axis(_ value: Int, rank: Int) throws -> Int {
    guard (-rank..<rank).contains(value) else {
      throw fail("there is no axis \(value) in a tensor with \(rank) axes")
    }
    return value < 0 ? value + rank : value
  }

  /// `axis` of each, in increasing order.
  func axes(_ values: [Int], rank: Int) throws -> [Int] {
    let axes = try values.map { try axis($0, rank: rank) }.sorted()
    guard Set(axes).count == axes.count else { throw fail("the axes \(values) repeat") }
    return axes
  }

  /// A shape of these sizes.
  /// - Throws: where one is negative or there would be too many elements.
  func shape(_ dimensions: [Int]) throws -> Shape {
    guard GraphImporter.isReasonable(dimensions) else {
      throw fail("it would make a tensor of shape \(dimensions)")
    }
    return Shape(dimensions)
  }

  /// The element type that ONNX numbers `dataType`.
  func element(_ dataType: Int) throws -> ElementType {
    try importer.reader.elementType(Int32(truncatingIfNeeded: dataType), of: node.place)
  }

  /// The values of a body (of `If`, `Loop`, `Scan`) on `inputs`; it sees the values around the node.
  func subgraph(_ name: String, _ inputs: [Traced]) throws -> [Traced] {
    try importer.run(body: graph(name), inputs, for: self)
  }

  fileprivate func graph(_ name: String) throws -> Onnx_GraphProto {
    guard let attribute = attribute(name), attribute.hasG else {
      throw fail("its graph '\(name)' is missing")
    }
    return attribute.g
  }
}

extension NodeContext {
  /// A body as a loop of `length` steps; see `GraphImporter.scan`.
  func scan(
    _ name: String, carries: [Traced], stacked: [Traced], _ length: Int,
    _ step: (([Traced]) throws -> [Traced], [Traced], [Traced]) throws -> (
      carries: [Traced], outputs: [Traced]
    )
  ) throws -> (carries: [Traced], outputs: [Traced]) {
    try importer.scan(
      graph(name), carries: carries, stacked: stacked, length, for: self, step)
  }
}
