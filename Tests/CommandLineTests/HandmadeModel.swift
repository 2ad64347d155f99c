import Foundation

/// Bytes of an ONNX file written field by field, so that it can hold what no exporter writes:
/// `y = x w`, or other nodes, over `x` of shape `[N, 3]`.
///
/// Reference: Protocol Buffers, "Encoding"; onnx/onnx.proto.
struct HandmadeModel {
  var input = "x"
  var output = "y"
  var nodes: [Data]
  var tensors: [Data]

  init(nodes: [Data]? = nil, tensors: [Data]? = nil, input: String = "x", output: String = "y") {
    self.input = input
    self.output = output
    self.nodes = nodes ?? [Self.node("MatMul", [input, "w"], output)]
    self.tensors = tensors ?? [Self.floats("w", [3, 3], (0..<9).map { Float($0) / 8 })]
  }

  var data: Data {
    func value(_ name: String, _ sizes: [Int?]) -> Data {
      let dimensions = sizes.map {
        Self.field(1, $0.map { Self.number(1, $0) } ?? Self.field(2, Data("N".utf8)))
      }
      let shape = Self.field(2, dimensions.reduce(Data(), +))
      return Self.field(1, Data(name.utf8))
        + Self.field(2, Self.field(1, Self.number(1, 1) + shape))
    }
    var graph = Data()
    for node in nodes { graph += Self.field(1, node) }
    for tensor in tensors { graph += Self.field(5, tensor) }
    graph += Self.field(11, value(input, [nil, 3]))
    graph += Self.field(12, value(output, [nil, 3]))
    return Self.number(1, 8) + Self.field(8, Self.number(2, 18)) + Self.field(7, graph)
  }

  static func node(_ operation: String, _ inputs: [String], _ output: String) -> Data {
    inputs.reduce(Data()) { $0 + field(1, Data($1.utf8)) } + field(2, Data(output.utf8))
      + field(4, Data(operation.utf8))
  }

  static func floats(_ name: String, _ sizes: [Int], _ values: [Float]) -> Data {
    tensor(name, sizes, type: 1, values.withUnsafeBytes { Data($0) })
  }

  static func integers(_ name: String, _ values: [Int64]) -> Data {
    tensor(name, [values.count], type: 7, values.withUnsafeBytes { Data($0) })
  }

  static func tensor(_ name: String, _ sizes: [Int], type: Int, _ raw: Data) -> Data {
    sizes.reduce(Data()) { $0 + number(1, $1) } + number(2, type) + field(8, Data(name.utf8))
      + field(9, raw)
  }

  /// Floats that lie in another file.
  static func external(_ name: String, _ sizes: [Int], in file: String) -> Data {
    sizes.reduce(Data()) { $0 + number(1, $1) } + number(2, 1) + field(8, Data(name.utf8))
      + field(13, field(1, Data("location".utf8)) + field(2, Data(file.utf8))) + number(14, 1)
  }

  static func field(_ number: Int, _ bytes: Data) -> Data {
    varint(number << 3 | 2) + varint(bytes.count) + bytes
  }

  static func number(_ field: Int, _ value: Int) -> Data { varint(field << 3) + varint(value) }

  private static func varint(_ value: Int) -> Data {
    var rest = UInt64(bitPattern: Int64(value))
    var bytes: [UInt8] = []
    repeat {
      bytes.append(UInt8(rest & 0x7F) | (rest > 0x7F ? 0x80 : 0))
      rest >>= 7
    } while rest > 0
    return Data(bytes)
  }
}
