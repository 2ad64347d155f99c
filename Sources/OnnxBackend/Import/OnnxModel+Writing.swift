import Foundation
import TensorPrograms

extension OnnxModel {
  /// The model file's bytes with other values for some initializers, all tensors within.
  ///
  /// - Parameter values: by name, of the initializers' shapes; rounded to the types in the file.
  /// - Throws: `OnnxModelError`, for a name or shape that does not fit, and for more than the 2 GB that
  ///   one ONNX file can hold.
  public func settingInitializers(_ values: [String: Tensor]) throws -> Data {
    if let name = quantized.names.filter({ values[$0] != nil }).min() {
      throw OnnxModelError(
        "The model's weights are quantised, and a file of integers cannot hold '\(name)' as training "
          + "leaves it: save the parameters as safetensors", kind: .cannotWrite)
    }
    var model = original
    for (name, value) in values {
      guard let known = initializers[name] else {
        throw OnnxModelError("The model has no initializer '\(name)'")
      }
      guard known.shape == value.shape, known.element.isFloating, value.element.isFloating else {
        throw OnnxModelError(
          "The initializer '\(name)' is \(known.type), and cannot become \(value.type)")
      }
    }
    for index in model.graph.initializer.indices {
      let name = model.graph.initializer[index].name
      guard let value = values[name] else { continue }
      try model.graph.initializer[index].setValue(value, of: name)
    }
    classical.set(values, in: &model)
    for index in model.graph.node.indices where model.graph.node[index].storedTensor != nil {
      let name = model.graph.node[index].output[0]
      guard let value = values[name] else { continue }
      try model.graph.node[index].attribute[0].t.setValue(value, of: name)
    }
    try model.graph.embed(reader)
    for index in model.functions.indices { try model.functions[index].node.embed(reader) }
    do {
      let data: Data = try model.serializedBytes()
      guard data.count < 1 << 31 else { throw OnnxModelError("") }
      return data
    } catch {
      throw OnnxModelError(
        "With its tensors inside, the model exceeds the 2 GB that one ONNX file can hold: save the "
          + "parameters as safetensors")
    }
  }
}

extension Onnx_TensorProto {
  /// Replaces the elements; the type in the file stays.
  fileprivate mutating func setValue(_ value: Tensor, of name: String) throws {
    if dataType == TensorFormat.float16.rawValue,
      let number = value.doubles.first(where: { $0.isFinite && $0.magnitude >= 65520 })
    {
      throw OnnxModelError(
        "The model stores '\(name)' in float16, which cannot hold \(number): save the parameters as "
          + "safetensors", kind: .cannotWrite)
    }
    setBytes((TensorFormat(rawValue: dataType) ?? .float32).bytes(of: value.doubles))
  }

  fileprivate mutating func setBytes(_ bytes: Data) {
    rawData = bytes
    (floatData, doubleData, int32Data) = ([], [], [])
    externalData = []
    dataLocation = .default
  }

  fileprivate mutating func embed(_ reader: TensorReader) throws {
    if dataLocation == .external { setBytes(try reader.externalBytes(of: self)) }
  }
}

extension Onnx_GraphProto {
  /// Brings in what other files hold.
  fileprivate mutating func embed(_ reader: TensorReader) throws {
    for index in initializer.indices { try initializer[index].embed(reader) }
    try node.embed(reader)
  }
}

extension [Onnx_NodeProto] {
  fileprivate mutating func embed(_ reader: TensorReader) throws {
    for index in indices {
      for position in self[index].attribute.indices {
        if self[index].attribute[position].hasT {
          try self[index].attribute[position].t.embed(reader)
        }
        if self[index].attribute[position].hasG {
          try self[index].attribute[position].g.embed(reader)
        }
      }
    }
  }
}
