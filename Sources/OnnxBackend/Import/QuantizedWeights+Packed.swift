import TensorPrograms

/// Weights whose integers are packed in bytes, or laid out otherwise than the plain operator takes them.
///
/// Reference: onnxruntime/docs/ContribOperators.md, MatMulNBits, GatherBlockQuantized, DynamicQuantizeLSTM.
extension QuantizedWeights {
  mutating func unpack(_ tensors: [Onnx_TensorProto]) {
    let types = Dictionary(tensors.map { ($0.name, $0.dataType) }, uniquingKeysWith: { a, _ in a })
    for index in nodes.indices where nodes[index].canonicalDomain == "com.microsoft" {
      switch nodes[index].opType {
      case "MatMulNBits": unpackProduct(index)
      case "GatherBlockQuantized": unpackRows(index, types)
      case "DynamicQuantizeLSTM": unpackRecurrence(index)
      default: break
      }
    }
  }

  /// A tensor that this node alone reads.
  private func own(_ name: String?) -> Tensor? {
    name.flatMap { readers[$0]?.count == 1 ? initializers[$0] : nil }
  }

  private mutating func store(_ value: Tensor, as name: String, scales used: [String?]) {
    initializers[name] = value
    names.append(name)
    scales.formUnion(used.compactMap { $0 })
  }

  private mutating func unpackProduct(_ index: Int) {
    let node = nodes[index]
    let (bits, size) = (node.number("bits", 4), node.number("block_size", 0))
    let (k, n) = (node.number("K", 0), node.number("N", 0))
    guard let name = node.input.at(1), let packed = own(name), let scaleName = node.input.at(2),
      let scale = initializers[scaleName], scale.element.isFloating, node.input.at(4) == nil,
      [2, 4, 8].contains(bits), (1...(1 << 16)).contains(size), (1...(1 << 24)).contains(k),
      (1...(1 << 24)).contains(n), size * bits % 8 == 0, Self.areBytes(packed)
    else { return }
    let blocks = (k + size - 1) / size
    let zeroName = node.input.at(3)
    guard scale.shape.count == n * blocks, packed.shape.count == n * blocks * (size * bits / 8),
      let zeros = blockZeros(zeroName, n, blocks, bits)
    else { return }
    let whole = Self.unpacked(packed.doubles, bits)
    let factors = scale.doubles
    var values = [Double](repeating: 0, count: n * k)
    for row in 0..<n {
      for column in 0..<k {
        let block = row * blocks + column / size
        values[row * k + column] =
          (whole[block * size + column % size] - zeros[block]) * factors[block]
      }
    }
    store(
      Tensor(values, type: TensorType(scale.element, [n, k])), as: name,
      scales: [scaleName, zeroName])
    nodes[index].input[2] = ""
    if zeroName != nil { nodes[index].input[3] = "" }
    nodes[index].readReal(1, named: name)
  }

  /// The zero point of each block; nil where they do not fit.
  private func blockZeros(_ name: String?, _ rows: Int, _ blocks: Int, _ bits: Int) -> [Double]? {
    guard let name else {
      return [Double](repeating: Double(1 << (bits - 1)), count: rows * blocks)
    }
    guard let zero = initializers[name] else { return nil }
    if zero.element.isFloating { return zero.shape.count == rows * blocks ? zero.doubles : nil }
    let bytes = (blocks * bits + 7) / 8
    guard zero.shape.count == rows * bytes, Self.areBytes(zero) else { return nil }
    let all = Self.unpacked(zero.doubles, bits)
    let perRow = bytes * 8 / bits
    return (0..<rows).flatMap { row in all[(row * perRow)..<(row * perRow + blocks)] }
  }

  private static func areBytes(_ tensor: Tensor) -> Bool {
    !tensor.element.isFloating && tensor.doubles.allSatisfy { (0...255).contains($0) }
  }

  /// The numbers in bytes, the first in the low bits.
  private static func unpacked(_ bytes: [Double], _ bits: Int) -> [Double] {
    let (count, mask) = (8 / bits, (1 << bits) - 1)
    return bytes.flatMap { byte in
      (0..<count).map { Double((Int(byte) >> ($0 * bits)) & mask) }
    }
  }

  /// Rows of a table in blocks become `Gather`.
  private mutating func unpackRows(_ index: Int, _ types: [String: Int32]) {
    let node = nodes[index]
    guard let name = node.input.at(0), var table = own(name), let scaleName = node.input.at(2),
      let scale = initializers[scaleName], scale.element.isFloating, table.shape.rank > 1
    else { return }
    let (bits, zeroName) = (node.number("bits", 4), node.input.at(3))
    var shape = table.shape
    let isPacked = types[name] == TensorFormat.uint8.rawValue && bits < 8
    if isPacked {
      guard [2, 4].contains(bits), Self.areBytes(table) else { return }
      shape[shape.rank - 1] *= 8 / bits
      table = Tensor(
        Self.unpacked(table.doubles, bits), type: TensorType(table.element, shape))
    }
    let axis = node.number("quantize_axis", 1)
    let isLast = axis == -1 || axis == shape.rank - 1
    let size = node.number("block_size", 128)
    guard isLast, size > 0, [2, 4, 8].contains(bits), let width = scale.shape.dimensions.last,
      width > 0
    else { return }
    let rows = shape.count / max(1, shape[shape.rank - 1])
    let zeros: [Double]?
    if let zeroName, let zero = initializers[zeroName] {
      zeros =
        types[zeroName] == TensorFormat.uint8.rawValue && bits < 8
        ? blockZeros(zeroName, rows, width, bits) : zero.doubles
    } else {
      let middle = types[name] == TensorFormat.int4.rawValue ? 0 : Double(1 << (bits - 1))
      zeros = zeroName == nil ? [Double](repeating: middle, count: rows * width) : nil
    }
    guard let zeros, zeros.count == scale.shape.count,
      let value = Self.dequantized(
        table, scale, Tensor(zeros, type: TensorType(scale.element, scale.shape)), -1, block: size)
    else { return }
    store(value, as: name, scales: [scaleName])
    var gather = node
    (gather.opType, gather.domain) = ("Gather", "")
    gather.input = [name, node.input[1]]
    gather.attribute = node.attribute.filter { $0.name == "gather_axis" }.map { entry in
      var entry = entry
      entry.name = "axis"
      return entry
    }
    nodes[index] = gather
  }

  /// `[directions, inputs, 4 hidden]` becomes what `LSTM` takes.
  private mutating func unpackRecurrence(_ index: Int) {
    let node = nodes[index]
    var made: [(String, Tensor, String)] = []
    for (weight, scale) in [(1, 8), (2, 10)] {
      guard let name = node.input.at(weight), let tensor = own(name), tensor.shape.rank == 3,
        let scaleName = node.input.at(scale), let factors = initializers[scaleName]
      else { return }
      let zeros = node.input.at(scale + 1).flatMap { initializers[$0] }
      let (directions, rows, columns) = (tensor.shape[0], tensor.shape[1], tensor.shape[2])
      guard node.input.at(scale + 1) == nil || zeros != nil,
        [1, directions, directions * columns].contains(factors.shape.count),
        [1, directions, directions * columns].contains(zeros?.shape.count ?? 1)
      else { return }
      let (whole, scales, offsets) = (tensor.doubles, factors.doubles, zeros?.doubles ?? [0])
      func place(_ count: Int, _ direction: Int, _ column: Int) -> Int {
        count == 1 ? 0 : count == directions ? direction : direction * columns + column
      }
      var values: [Double] = []
      values.reserveCapacity(whole.count)
      for direction in 0..<directions {
        for column in 0..<columns {
          let factor = scales[place(scales.count, direction, column)]
          let offset = offsets[place(offsets.count, direction, column)]
          for row in 0..<rows {
            values.append((whole[(direction * rows + row) * columns + column] - offset) * factor)
          }
        }
      }
      made.append(
        (
          name, Tensor(values, type: TensorType(factors.element, [directions, columns, rows])),
          scaleName
        ))
    }
    for (name, value, scale) in made { store(value, as: name, scales: [scale]) }
    (nodes[index].opType, nodes[index].domain) = ("LSTM", "")
    dropsRounding = true
    nodes[index].input = Array(node.input.prefix(8))
  }
}
