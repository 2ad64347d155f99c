import TensorPrograms

extension OnnxModel {
  /// Emits the equations of the nodes that the named values depend on.
  ///
  /// - Parameters:
  ///   - parameters: values for some initializers, by name; the others are constants.
  ///   - inputs: a value per input that the outputs depend on; symbolic sizes are bound to theirs.
  ///   - outputs: names of outputs, or of any value of the main graph.
  ///   - training: whether operators act as while training: Dropout drops, by `seed`, and
  ///     BatchNormalization takes the batch's statistics.
  ///   - record: where branches taken and steps of loops are noted.
  ///   - builder: where the equations go; each names its node as its source.
  /// - Throws: `OnnxModelError` naming the node and the operator, or the input and both shapes.
  public func trace(
    parameters: [String: Traced] = [:], inputs given: [String: Traced], outputs: [String],
    training: Bool = false, seed: UInt64 = 0, record: ImportRecord? = nil,
    builder: ProgramBuilder
  ) throws -> [Traced] {
    let dependencies = Dependencies(of: outputs, in: proto.graph.node)
    try check(given)
    let importer = GraphImporter(
      builder: builder, reader: reader, functions: functions,
      options: .init(
        isTraining: training, seed: seed, limits: limits, storedTypes: storedTypes,
        record: record))
    let scope = Scope(
      builder: builder, constants: initializers.filter { parameters[$0.key] == nil }, parent: nil)
    for (name, value) in parameters {
      guard let initializer = initializers[name] else {
        throw OnnxModelError("The model has no initializer '\(name)'")
      }
      guard initializer.type == value.type else {
        throw OnnxModelError(
          "The parameter '\(name)' is \(initializer.type), but \(value.type) was given")
      }
      scope[name] = value
    }
    for (name, value) in given { scope[name] = value }
    for input in inputs where dependencies.names.contains(input.name) && given[input.name] == nil {
      throw OnnxModelError("The model's input '\(input.name)' was given no data")
    }
    let source = builder.source
    defer { builder.source = source }
    try importer.run(
      dependencies.nodes.filter { $0.storedTensor == nil }, in: scope,
      operatorSets: operatorSets(proto.opsetImport))
    return try outputs.map { name in
      guard let value = scope[name] else {
        throw OnnxModelError(
          "The model has no output '\(name)'; it has \(self.outputs.joined(separator: ", "))")
      }
      return value
    }
  }

  /// Every name that some outputs depend on.
  package func names(neededFor outputs: [String]) -> Set<String> {
    Dependencies(of: outputs, in: proto.graph.node).names
  }

  /// Binds symbolic sizes to those of the data.
  private func check(_ given: [String: Traced]) throws {
    var sizes: [String: (size: Int, input: String)] = [:]
    for (name, value) in given.sorted(by: { $0.key < $1.key }) {
      guard let input = inputs.first(where: { $0.name == name }) else {
        throw OnnxModelError(
          "The model has no input '\(name)'; it has \(inputs.map(\.name).joined(separator: ", "))")
      }
      guard input.element == value.element else {
        throw OnnxModelError(
          "The model's input '\(name)' takes \(input.element.rawValue), but "
            + "\(value.element.rawValue) was given")
      }
      guard let dimensions = input.dimensions else { continue }
      let expected = "[\(dimensions.map(\.description).joined(separator: ", "))]"
      func mismatch(_ why: String = "") -> OnnxModelError {
        OnnxModelError(
          "The model's input '\(name)' has the shape \(expected), but \(value.shape) was given\(why)"
        )
      }
      guard dimensions.count == value.rank else { throw mismatch() }
      for (dimension, size) in zip(dimensions, value.shape.dimensions) {
        switch dimension {
        case .fixed(let fixed):
          guard fixed == size else { throw mismatch() }
        case .symbolic(""): continue
        case .symbolic(let symbol):
          if let earlier = sizes[symbol], earlier.size != size {
            throw mismatch("; \(symbol) is \(earlier.size) in '\(earlier.input)'")
          }
          sizes[symbol] = (size, name)
        }
      }
    }
  }
}

/// What some values of a graph depend on.
struct Dependencies {
  /// In the graph's order.
  let nodes: [Onnx_NodeProto]
  /// Every value that is read on the way, those of enclosing graphs included.
  let names: Set<String>

  init(of outputs: [String], in nodes: [Onnx_NodeProto]) {
    var names = Set(outputs)
    var kept: [Onnx_NodeProto] = []
    for node in nodes.reversed() where node.output.contains(where: names.contains) {
      kept.append(node)
      names.formUnion(node.input)
      for attribute in node.attribute where attribute.hasG {
        attribute.g.node.forEachNested { names.formUnion($0.input) }
        names.formUnion(attribute.g.output.map(\.name))
      }
    }
    self.nodes = kept.reversed()
    self.names = names
  }
}

extension OnnxModel {
  /// The sizes that the file states for an output; nil where it states none.
  public func outputDimensions(of name: String) -> [Dimension]? {
    guard let info = proto.graph.output.first(where: { $0.name == name }),
      case .tensorType(let type)? = info.type.value, type.hasShape
    else { return nil }
    return type.shape.dim.map { dimension in
      switch dimension.value {
      case .dimValue(let size)? where size >= 0: .fixed(Int(size))
      case .dimParam(let name)?: .symbolic(name)
      case .dimValue?, nil: .symbolic("")
      }
    }
  }

  /// The type of an output for inputs of these types.
  ///
  /// - Throws: as `trace`.
  public func type(
    of output: String, inputs: [(String, TensorType)], given: [String: Tensor],
    training: Bool = false
  ) throws -> TensorType {
    let builder = ProgramBuilder()
    var values = given.mapValues(builder.constant)
    for (name, type) in inputs { values[name] = builder.input(type) }
    return try trace(inputs: values, outputs: [output], training: training, builder: builder)[0]
      .type
  }
}
