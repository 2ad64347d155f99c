import TensorPrograms

/// The values that nodes see by name: a graph's own, then those around it.
final class Scope {
  private var values: [String: Traced] = [:]
  private var pending: [String: Tensor]
  private let parent: Scope?
  private let builder: ProgramBuilder

  /// - Parameter constants: become equations when they are first read.
  init(builder: ProgramBuilder, constants: [String: Tensor], parent: Scope?) {
    self.builder = builder
    self.pending = constants
    self.parent = parent
  }

  subscript(name: String) -> Traced? {
    get {
      if let value = values[name] { return value }
      if let tensor = pending.removeValue(forKey: name) {
        builder.source = nil
        values[name] = builder.constant(tensor)
        return values[name]
      }
      return parent?[name]
    }
    set { values[name] = newValue }
  }
}

/// Emits the equations of a graph's nodes, folding what is known when the model is read.
final class GraphImporter {
  struct Options {
    var isTraining = false
    var seed: UInt64 = 0
    var limits = OnnxModel.Limits()
    /// Of integers of few bits, by name, the type in the file.
    var storedTypes: [String: Int32] = [:]
    /// Where branches and loops are noted.
    var record: ImportRecord?
  }

  let builder: ProgramBuilder
  let reader: TensorReader
  let options: Options
  let sequences: SequenceTable
  private let functions: FunctionTable
  private let effort: Effort

  /// What has been spent so far, by all importers of one model.
  private final class Effort {
    var nodeCount = 0
    var foldedWork = 0
  }

  init(
    builder: ProgramBuilder, reader: TensorReader, functions: FunctionTable, options: Options
  ) {
    self.builder = builder
    self.reader = reader
    self.functions = functions
    self.options = options
    effort = Effort()
    sequences = SequenceTable()
  }

  private init(_ outer: GraphImporter, builder: ProgramBuilder) {
    self.builder = builder
    reader = outer.reader
    functions = outer.functions
    options = outer.options
    effort = outer.effort
    sequences = outer.sequences
  }

  /// Whether sizes are non-negative, few, and small enough to count in 64 bits.
  static func isReasonable(_ dimensions: [Int]) -> Bool {
    var count = 1
    // As many axes as NumPy has.
    guard dimensions.count <= 64 else { return false }
    for size in dimensions {
      guard size >= 0, size <= 1 << 40 else { return false }
      let (product, overflows) = count.multipliedReportingOverflow(by: max(1, size))
      guard !overflows, product <= 1 << 40 else { return false }
      count = product
    }
    return true
  }

  func run(_ nodes: [Onnx_NodeProto], in scope: Scope, operatorSets: [String: Int]) throws {
    for node in nodes {
      let results = try values(of: node, in: scope, operatorSets: operatorSets)
      guard results.count >= (node.output.lastIndex { !$0.isEmpty } ?? -1) + 1 else {
        throw OnnxModelError(
          "\(node.place): it names \(node.output.count) outputs, of which the last are not "
            + "available here")
      }
      for (name, value) in zip(node.output, results) where !name.isEmpty { scope[name] = value }
    }
  }

  private func values(
    of node: Onnx_NodeProto, in scope: Scope, operatorSets: [String: Int]
  ) throws -> [Traced] {
    effort.nodeCount += 1
    guard effort.nodeCount <= options.limits.nodes else {
      throw OnnxModelError(
        "\(node.place): with functions and loops expanded, the model has more than "
          + "\(options.limits.nodes) nodes")
    }
    let inputs = try node.input.map { name in
      guard !name.isEmpty else { return Traced?.none }
      guard let value = scope[name] else {
        if options.storedTypes[name] == Int32(Onnx_TensorProto.DataType.string.rawValue) {
          throw OnnxModelError(
            "\(node.place): its input '\(name)' is a tensor of type string, which is supported for "
              + "labels only; give the node numbers")
        }
        throw OnnxModelError(
          "\(node.place): nothing before it makes its input '\(name)'; if it is an input of the "
            + "model, the data must hold it")
      }
      return value
    }
    if let function = functions[node] {
      return try call(function, node, inputs)
    }
    let domain = node.canonicalDomain
    guard let rule = OperatorCatalogue.rule(node.opType, domain: domain) else {
      throw OnnxModelError(
        "\(node.place): the operator \(domain.isEmpty ? "" : domain + ".")\(node.opType) is not "
          + "among those that can be imported (docs/operators.md lists them); it would take a rule "
          + "in the operator catalogue, or a model exported without it")
    }
    guard let operatorSet = operatorSets[domain] else {
      throw OnnxModelError(
        "\(node.place): the model does not say which version of the operators of "
          + "'\(domain.isEmpty ? "ai.onnx" : domain)' it uses")
    }
    func context(_ builder: ProgramBuilder, _ values: [Traced?]) -> NodeContext {
      NodeContext(
        node: node, operatorSet: operatorSet, operatorSets: operatorSets, builder: builder,
        importer: self, scope: scope, values: values)
    }
    builder.source = node.name.isEmpty ? node.output.first : node.name
    if rule.isFolded, !node.attribute.contains(where: \.hasG), let tensors = constants(inputs) {
      let small = ProgramBuilder()
      let folded = context(small, tensors.map { $0.map(small.constant) })
      if let known = try fold(rule, folded) { return known }
    }
    let results = try rule.import(context(builder, inputs))
    try check(results, builder, node)
    return results
  }

  /// The inputs' values, where all are known.
  private func constants(_ inputs: [Traced?]) -> [Tensor?]? {
    var tensors: [Tensor?] = []
    for input in inputs {
      guard let input else {
        tensors.append(nil)
        continue
      }
      guard let tensor = builder.constantValue(of: input) else { return nil }
      tensors.append(tensor)
    }
    return tensors
  }

  /// The node's results as constants, or nil where they are too large to compute now.
  private func fold(_ rule: OperatorRule, _ context: NodeContext) throws -> [Traced]? {
    let results = try rule.import(context)
    try check(results, context.builder, context.node)
    let program: Program
    do { program = try context.builder.build(results) } catch { throw context.fail("\(error)") }
    let work = program.equations.reduce(0) { $0 &+ $1.work(in: program) }
    guard work >= 0, work <= options.limits.foldedElements,
      effort.foldedWork <= 16 * options.limits.foldedElements
    else { return nil }
    effort.foldedWork += work
    do {
      return try ReferenceExecutor().compile(program).run([]).map(builder.constant)
    } catch { throw context.fail("\(error)") }
  }

  private func check(
    _ results: [Traced], _ builder: ProgramBuilder, _ node: Onnx_NodeProto
  ) throws {
    if let failure = builder.failure { throw OnnxModelError("\(node.place): \(failure)") }
    for result in results where !Self.isReasonable(result.shape.dimensions) {
      throw OnnxModelError("\(node.place): it would make a tensor of shape \(result.shape)")
    }
  }
}

// MARK: Graphs within graphs

extension GraphImporter {
  /// The outputs of a body; it sees the values around its node.
  func run(
    body: Onnx_GraphProto, _ inputs: [Traced], for context: NodeContext
  ) throws -> [Traced] {
    guard inputs.count == body.input.count else {
      throw context.fail(
        "its graph takes \(body.input.count) inputs, but there are \(inputs.count)")
    }
    var constants: [String: Tensor] = [:]
    for tensor in body.initializer {
      constants[tensor.name] = try reader.tensor(tensor, named: tensor.name)
    }
    let scope = Scope(builder: builder, constants: constants, parent: context.scope)
    for (input, value) in zip(body.input, inputs) { scope[input.name] = value }
    let source = builder.source
    defer { builder.source = source }
    try run(body.node, in: scope, operatorSets: context.operatorSets)
    return try body.output.map { output in
      guard let value = scope[output.name] else {
        throw context.fail("nothing in its graph makes the output '\(output.name)'")
      }
      return value
    }
  }

  /// A loop over a body, traced once; it sees the values around its node, which go in as constants.
  ///
  /// - Parameter step: the carries and outputs of one step, given the body as a function.
  func scan(
    _ body: Onnx_GraphProto, carries: [Traced], stacked: [Traced], _ length: Int,
    for context: NodeContext,
    _ step: (([Traced]) throws -> [Traced], [Traced], [Traced]) throws -> (
      carries: [Traced], outputs: [Traced]
    )
  ) throws -> (carries: [Traced], outputs: [Traced]) {
    var names = Set(body.output.map(\.name))
    body.node.forEachNested { node in
      names.formUnion(node.input)
      for attribute in node.attribute where attribute.hasG {
        names.formUnion(attribute.g.output.map(\.name))
      }
    }
    let outer = names.sorted().compactMap { name in context.scope[name].map { (name, $0) } }
    let moving = outer.filter { builder.constantValue(of: $0.1) == nil }
    return try Traced.scan(
      constants: moving.map(\.1), carries: carries, stacked: stacked, length: length
    ) { constants, carries, slices in
      guard let inner = (constants + carries + slices).first?.builder else {
        throw context.fail("it loops over nothing")
      }
      inner.source = builder.source
      let scope = Scope(builder: inner, constants: [:], parent: nil)
      for (name, value) in outer {
        if let tensor = builder.constantValue(of: value) { scope[name] = inner.constant(tensor) }
      }
      for ((name, _), value) in zip(moving, constants) { scope[name] = value }
      var within = context
      within.scope = scope
      let importer = GraphImporter(self, builder: inner)
      return try step({ try importer.run(body: body, $0, for: within) }, carries, slices)
    }
  }

  private func call(
    _ function: Onnx_FunctionProto, _ node: Onnx_NodeProto, _ inputs: [Traced?]
  ) throws -> [Traced] {
    let scope = Scope(builder: builder, constants: [:], parent: nil)
    guard inputs.count <= function.input.count else {
      throw OnnxModelError(
        "\(node.place): the function takes \(function.input.count) inputs, but there are "
          + "\(inputs.count)")
    }
    for (name, value) in zip(function.input, inputs) { scope[name] = value }
    // An optional input left out is an empty name inside, too.
    let absent = Set(function.input.filter { scope[$0] == nil })
    let body = function.node.map { $0.bound(to: node, of: function, without: absent) }
    try run(body, in: scope, operatorSets: operatorSets(function.opsetImport))
    return try function.output.map { name in
      guard let value = scope[name] else {
        throw OnnxModelError("\(node.place): nothing in the function makes the output '\(name)'")
      }
      return value
    }
  }
}

extension Program.Equation {
  /// How many numbers the interpreter computes for it.
  fileprivate func work(in program: Program) -> Int {
    func count(_ variable: Program.Variable) -> Int {
      let dimensions = program.type(of: variable).shape.dimensions
      return GraphImporter.isReasonable(dimensions) ? dimensions.reduce(1, *) : 1 << 40
    }
    let results = results.reduce(0) { $0 + count($1) }
    let depth: Int
    switch primitive {
    case .dot(let dimensions):
      let left = program.type(of: operands[0]).shape
      depth = dimensions.leftContracting.reduce(1) { $0 * left[$1] }
    case .windowMax(let window), .windowSum(let window):
      depth = window.sizes.reduce(1, *)
    case .convolution:
      depth = operands.map(count).max() ?? 1
    case .scan(let scan):
      let step = scan.body.equations.reduce(0) { $0 &+ $1.work(in: scan.body) }
      return step < 0 || step.multipliedReportingOverflow(by: scan.length).overflow
        ? -1 : step * scan.length
    default: return results
    }
    return results.multipliedReportingOverflow(by: max(1, depth)).overflow ? -1 : results * depth
  }
}
