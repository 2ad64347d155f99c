import TensorPrograms

/// The integer weights of a quantised graph as the real numbers that they stand for,
/// `(integer - zero point) * scale`, so that training can move them under the names that the file gives them.
///
/// A node that reads such a weight says so in its attribute `real_inputs`; `DequantizeLinear` of one becomes
/// `Identity`. A graph of nothing but weights' dequantisation is thereby one of floating-point initializers.
///
/// Reference: Jacob et al., Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only
/// Inference, 2018, section 2.1; onnxruntime/docs/ContribOperators.md.
struct QuantizedWeights {
  /// Initializers that hold real numbers now, in the order of the nodes that read them.
  var names: [String] = []
  var nodes: [Onnx_NodeProto]
  var initializers: [String: Tensor]
  /// Weights that two scales make different numbers of, each under a name of its own, and weights of Constant
  /// nodes.
  var added: [String] = []
  /// Those of `added` that Constant nodes hold in the file.
  private(set) var fromConstants: Set<String> = []
  /// The scales of all these, which the weights already hold.
  var scales: Set<String> = []
  /// Whether a node that is plain now would round what comes in.
  var dropsRounding = false
  private(set) var readers: [String: [Int]] = [:]

  /// Where an operator has an integer tensor, its scale and its zero point.
  private struct Slot {
    var weight: Int
    /// Nil for one that later nodes multiply by.
    var scale: Int?
    var zero: Int?
    /// The axis that several scales are for.
    var axis: Int
  }

  /// A tensor's use with a scale.
  private struct Claim: Hashable {
    var scale: String
    var zero: String
    var axis: Int
    var block: Int
  }

  /// The attribute that names the inputs of a node which hold real numbers.
  static let attribute = "real_inputs"

  /// - Throws: `OnnxModelError` for a weight of a Constant node that cannot be read.
  init(
    _ graph: Onnx_GraphProto, _ initializers: [String: Tensor], _ reader: TensorReader
  ) throws {
    nodes = graph.node
    self.initializers = initializers
    try takeWeightsFromConstants(reader)
    let initializers = self.initializers
    for (index, node) in nodes.enumerated() {
      for name in node.input { readers[name, default: []].append(index) }
      for attribute in node.attribute where attribute.hasG {
        // What a graph inside reads is left as it is.
        attribute.g.node.forEachNested { inner in
          for name in inner.input { readers[name, default: []] += [index, index] }
        }
      }
    }
    for output in graph.output { readers[output.name, default: []].append(-1) }
    unpack(graph.initializer)
    moveDequantizationToWeights()
    replace()
    replaceBiases(of: initializers)
  }

  private static func slots(of node: Onnx_NodeProto) -> [Slot] {
    let isMicrosoft = node.canonicalDomain == "com.microsoft"
    guard isMicrosoft || node.canonicalDomain.isEmpty else { return [] }
    switch node.opType {
    case "DequantizeLinear":
      return [Slot(weight: 0, scale: 1, zero: 2, axis: node.number("axis", 1))]
    case "QLinearConv": return [Slot(weight: 3, scale: 4, zero: 5, axis: 0)]
    case "QLinearMatMul":
      return [
        Slot(weight: 0, scale: 1, zero: 2, axis: -2), Slot(weight: 3, scale: 4, zero: 5, axis: -1),
      ]
    case "MatMulInteger": return [Slot(weight: 1, scale: nil, zero: 3, axis: -1)]
    case "ConvInteger": return [Slot(weight: 1, scale: nil, zero: 3, axis: 0)]
    case "DynamicQuantizeMatMul" where isMicrosoft:
      return [Slot(weight: 1, scale: 2, zero: 3, axis: -1)]
    case "MatMulIntegerToFloat" where isMicrosoft:
      return [Slot(weight: 1, scale: 3, zero: 5, axis: -1)]
    case "QAttention" where isMicrosoft: return [Slot(weight: 1, scale: 4, zero: 7, axis: -1)]
    case "QEmbedLayerNormalization" where isMicrosoft:
      return (2...6).map { Slot(weight: $0, scale: $0 + 6, zero: $0 + 11, axis: 0) }
    case "QGemm" where isMicrosoft:
      return [Slot(weight: 3, scale: 4, zero: 5, axis: node.number("transB", 0) != 0 ? 0 : 1)]
    case "QLinearAdd" where isMicrosoft, "QLinearMul" where isMicrosoft:
      return [
        Slot(weight: 0, scale: 1, zero: 2, axis: 0), Slot(weight: 3, scale: 4, zero: 5, axis: 0),
      ]
    default: return []
    }
  }

  /// Weights, scales, zero points and biases that Constant nodes hold become initializers.
  private mutating func takeWeightsFromConstants(_ reader: TensorReader) throws {
    var wanted: Set<String> = []
    for node in nodes {
      let slots = Self.slots(of: node)
      let biases = ["QLinearConv": 8, "QGemm": 6][node.opType].map { [$0] } ?? []
      for index in slots.flatMap({ [$0.weight, $0.scale, $0.zero] }).compactMap({ $0 }) + biases {
        if let name = node.input.at(index), initializers[name] == nil { wanted.insert(name) }
      }
    }
    guard !wanted.isEmpty else { return }
    var kept: [Onnx_NodeProto] = []
    for node in nodes {
      guard node.opType == "Constant", let name = node.output.first, wanted.contains(name),
        let tensor = node.attribute.first(where: { $0.name == "value" && $0.hasT })?.t
      else {
        kept.append(node)
        continue
      }
      initializers[name] = try reader.tensor(tensor, named: name)
      added.append(name)
      fromConstants.insert(name)
    }
    nodes = kept
  }

  // MARK: Weights

  private mutating func replace() {
    var claims: [String: Set<Claim>] = [:]
    var counts: [String: Int] = [:]
    func visit(_ body: (Int, Slot, String, Claim) -> Void) {
      for (index, node) in nodes.enumerated() {
        for slot in Self.slots(of: node) {
          guard let name = node.input.at(slot.weight), let tensor = initializers[name],
            !tensor.element.isFloating, tensor.element != .bool,
            let scale = slot.scale.map({ node.input.at($0) }) ?? laterScale(of: node),
            initializers[scale] != nil
          else { continue }
          let zero = slot.zero.flatMap { node.input.at($0) } ?? ""
          guard zero.isEmpty || initializers[zero] != nil else { continue }
          body(
            index, slot, name,
            Claim(
              scale: scale, zero: zero, axis: slot.axis, block: node.number("block_size", 0)))
        }
      }
    }
    var uses: [(Int, Slot, String, Claim)] = []
    visit { uses.append(($0, $1, $2, $3)) }
    for (_, _, name, claim) in uses {
      claims[name, default: []].insert(claim)
      counts[name, default: 0] += 1
    }
    let stored = initializers
    var places: [String: [Claim: String]] = [:]
    for (index, slot, name, claim) in uses {
      guard let scale = stored[claim.scale],
        let value = Self.dequantized(
          stored[name]!, scale, claim.zero.isEmpty ? nil : stored[claim.zero], claim.axis,
          block: claim.block)
      else { continue }
      let isAlone = claims[name]!.count == 1 && counts[name] == readers[name]?.count
      // One scale may come with two zero points or axes.
      var place = isAlone ? name : places[name]?[claim] ?? "\(name)/\(claim.scale)"
      while !isAlone, places[name]?[claim] == nil, initializers[place] != nil { place += "'" }
      places[name, default: [:]][claim] = place
      initializers[place] = value
      scales.insert(claim.scale)
      if !names.contains(place) {
        names.append(place)
        if !isAlone { added.append(place) }
      }
      nodes[index].readReal(slot.weight, named: place)
      if slot.scale == nil {
        while nodes[index].input.count < 4 { nodes[index].input.append("") }
        nodes[index].input.append(claim.scale)
      }
    }
  }

  /// The scale that the integers' product is multiplied by: `Cast`, then `Mul` by it, or by its product with
  /// the activations' scale.
  private func laterScale(of node: Onnx_NodeProto) -> String? {
    func only(_ name: String) -> Onnx_NodeProto? {
      guard let places = readers[name], places.count == 1, places[0] >= 0 else { return nil }
      return nodes[places[0]]
    }
    guard let cast = node.output.first.flatMap(only), cast.opType == "Cast",
      let made = cast.output.first,
      let product = only(made), product.opType == "Mul"
    else { return nil }
    guard let factor = product.input.first(where: { $0 != made }) else { return nil }
    if initializers[factor] != nil { return factor }
    guard let scales = nodes.first(where: { $0.output.contains(factor) }), scales.opType == "Mul"
    else { return nil }
    return scales.input.first { initializers[$0]?.element.isFloating == true }
  }

  /// Nil where scale or zero point do not fit.
  static func dequantized(
    _ tensor: Tensor, _ scale: Tensor, _ zero: Tensor?, _ axis: Int, block: Int
  ) -> Tensor? {
    let shape = tensor.shape
    guard scale.element.isFloating,
      zero?.shape.count ?? 1 <= scale.shape.count || scale.shape.count == 1
    else { return nil }
    let (scales, zeros) = (scale.doubles, zero?.doubles ?? [0])
    let axis = axis < 0 ? axis + shape.rank : axis
    func place(of count: Int, _ like: Shape) -> ((Int) -> Int)? {
      if count == 1 { return { _ in 0 } }
      guard shape.dimensions.indices.contains(axis) else { return nil }
      let (stride, size) = (shape.strides[axis], shape[axis])
      if block > 0, like.rank == shape.rank {
        let strides = like.strides
        let blocks = size / block + (size % block == 0 ? 0 : 1)
        guard like.removing([axis]) == shape.removing([axis]), like[axis] == blocks else {
          return nil
        }
        return { index in
          (0..<shape.rank).reduce(0) { sum, each in
            let at = index / shape.strides[each] % shape[each]
            return sum + (each == axis ? at / block : at) * strides[each]
          }
        }
      }
      return count == size ? { $0 / stride % size } : nil
    }
    guard let ofScale = place(of: scales.count, scale.shape),
      let ofZero = place(of: zeros.count, zero?.shape ?? [])
    else { return nil }
    let values = tensor.doubles.enumerated().map { ($1 - zeros[ofZero($0)]) * scales[ofScale($0)] }
    return Tensor(values, type: TensorType(scale.element, shape))
  }

  /// Biases of `QLinearConv` and `QGemm` have the product of both scales.
  private mutating func replaceBiases(of stored: [String: Tensor]) {
    for index in nodes.indices {
      let node = nodes[index]
      let (bias, scales): (Int, [Int])
      switch node.opType {
      case "QLinearConv": (bias, scales) = (8, [1, 4])
      case "QGemm": (bias, scales) = (6, [1, 4])
      default: continue
      }
      guard let name = node.input.at(bias), readers[name]?.count == 1, let tensor = stored[name],
        !tensor.element.isFloating, let a = node.input.at(scales[0]).flatMap({ stored[$0] }),
        let b = node.input.at(scales[1]).flatMap({ stored[$0] }), a.shape.count == 1,
        b.shape.count == 1 || b.shape.count == tensor.shape.count
      else { continue }
      let alpha = node.opType == "QGemm" ? node.real("alpha", 1) : 1
      let (factor, others) = (a.doubles[0] * alpha, b.doubles)
      let values = tensor.doubles.enumerated().map {
        $1 * factor * others[others.count == 1 ? 0 : $0]
      }
      initializers[name] = Tensor(values, type: TensorType(b.element, tensor.shape))
      names.append(name)
      nodes[index].readReal(bias, named: name)
    }
  }

  // MARK: Looked up, then dequantised

  /// `DequantizeLinear` with one scale of some rows of a weight, or of a weight in another shape, comes before
  /// these.
  private mutating func moveDequantizationToWeights() {
    let passing: Set<String> = [
      "Gather", "Reshape", "Transpose", "Squeeze", "Unsqueeze", "Flatten", "Identity", "Slice",
    ]
    var makers: [String: Int] = [:]
    for (index, node) in nodes.enumerated() { for name in node.output { makers[name] = index } }
    for index in nodes.indices where nodes[index].opType == "DequantizeLinear" {
      guard let scale = nodes[index].input.at(1), initializers[scale]?.shape.count == 1 else {
        continue
      }
      var name = nodes[index].input[0]
      var isMoved = false
      while initializers[name] == nil, let maker = makers[name], readers[name]?.count == 1,
        nodes[maker].canonicalDomain.isEmpty, passing.contains(nodes[maker].opType),
        let first = nodes[maker].input.first
      {
        (name, isMoved) = (first, true)
      }
      guard isMoved, let weight = initializers[name], !weight.element.isFloating,
        readers[name]?.count == 1
      else { continue }
      let zero = nodes[index].input.at(2).flatMap { initializers[$0] }
      guard nodes[index].input.at(2) == nil || zero != nil,
        let value = Self.dequantized(weight, initializers[scale]!, zero, 0, block: 0)
      else { continue }
      initializers[name] = value
      names.append(name)
      scales.insert(scale)
      nodes[index].becomeIdentity()
    }
  }
}

extension Onnx_NodeProto {
  func number(_ name: String, _ fallback: Int) -> Int {
    attribute.first { $0.name == name }.map { Int($0.i) } ?? fallback
  }

  fileprivate func real(_ name: String, _ fallback: Double) -> Double {
    attribute.first { $0.name == name }.map { Double($0.f) } ?? fallback
  }

  /// Reads the real numbers `name` at an input from now on.
  mutating func readReal(_ index: Int, named name: String) {
    input[index] = name
    if opType == "DequantizeLinear" { return becomeIdentity() }
    let known = attribute.firstIndex { $0.name == QuantizedWeights.attribute }
    var entry = known.map { attribute.remove(at: $0) } ?? Onnx_AttributeProto()
    (entry.name, entry.type) = (QuantizedWeights.attribute, .ints)
    entry.ints.append(Int64(index))
    attribute.append(entry)
  }

  fileprivate mutating func becomeIdentity() {
    (opType, domain, input, attribute) = ("Identity", "", [input[0]], [])
  }
}

extension [String] {
  /// The name at a place; nil where there is none, or an empty one.
  func at(_ index: Int) -> String? {
    indices.contains(index) && !self[index].isEmpty ? self[index] : nil
  }
}
