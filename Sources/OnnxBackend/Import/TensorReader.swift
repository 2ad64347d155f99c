import Foundation
import TensorPrograms

/// Reads tensors of a model file, and of the files beside it that hold large ones.
final class TensorReader: Sendable {
  private let folder: URL?
  /// The type that float32 and float64 become; nil leaves them as they are.
  let floating: ElementType?
  private let limits: OnnxModel.Limits

  /// - Parameter folder: where external data lies; nil where there can be none.
  init(folder: URL?, floating: ElementType?, limits: OnnxModel.Limits) {
    self.folder = folder?.resolvingSymlinksInPath().standardizedFileURL
    self.floating = floating
    self.limits = limits
  }

  /// The element type for values that ONNX types `dataType`: half precision is computed with in float32,
  /// integers of other widths in int64.
  func elementType(_ dataType: Int32, of owner: String) throws -> ElementType {
    switch Onnx_TensorProto.DataType(rawValue: Int(dataType)) {
    case .float, .float16, .bfloat16: return floating ?? .float32
    case .double: return floating ?? .float64
    case .int32: return .int32
    case .int64, .uint8, .int8, .uint16, .int16, .uint32, .uint64: return .int64
    case .bool: return .bool
    default:
      throw OnnxModelError(
        "\(owner) has the element type \(Self.name(dataType)); floating-point numbers of 16 to 64 "
          + "bits, integers of 8 to 64 and bool can be computed with: convert the model first")
    }
  }

  /// The tensor's value. Half precision becomes float32, integers of other widths int64.
  /// - Throws: `OnnxModelError`, before anything is allocated, where sizes and data disagree.
  func tensor(_ proto: Onnx_TensorProto, named name: String) throws -> Tensor {
    let owner = "The tensor '\(name)'"
    let dimensions = proto.dims.map(Int.init)
    guard GraphImporter.isReasonable(dimensions) else {
      throw OnnxModelError("\(owner) has the impossible shape \(dimensions)")
    }
    let shape = Shape(dimensions)
    guard shape.count <= limits.elements else {
      throw OnnxModelError(
        "\(owner) has \(shape.count) elements, more than the limit of \(limits.elements)")
    }
    guard let format = TensorFormat(rawValue: proto.dataType) else {
      throw OnnxModelError(
        "\(owner) has the element type \(Self.name(proto.dataType)), which cannot be computed with: "
          + "convert the model to float32 first")
    }
    let value: Tensor
    if proto.dataLocation == .external {
      value = try format.tensor(external(proto, owner, format.byteCount(of: shape)), shape)
    } else if !proto.rawData.isEmpty || shape.count == 0 {
      let expected = format.byteCount(of: shape)
      guard proto.rawData.count == expected else {
        throw OnnxModelError(
          "\(owner) of shape \(shape) needs \(expected) bytes, but \(proto.rawData.count) are there"
        )
      }
      value = try format.tensor(proto.rawData, shape)
    } else {
      guard let listed = format.tensor(listedIn: proto, shape) else {
        throw OnnxModelError("\(owner) of shape \(shape) holds another number of elements")
      }
      value = listed
    }
    guard value.element.isFloating, let floating, value.element != floating else { return value }
    return Tensor(value.doubles, type: TensorType(floating, shape))
  }

  /// The bytes of a tensor that is kept in another file.
  func externalBytes(of proto: Onnx_TensorProto) throws -> Data {
    let owner = "The tensor '\(proto.name)'"
    let dimensions = proto.dims.map(Int.init)
    guard GraphImporter.isReasonable(dimensions),
      let format = TensorFormat(rawValue: proto.dataType)
    else { throw OnnxModelError("\(owner) has no size that could be read") }
    return try external(proto, owner, format.byteCount(of: Shape(dimensions)))
  }

  /// The bytes that the tensor names in a file in the model's folder.
  private func external(
    _ proto: Onnx_TensorProto, _ owner: String, _ expected: Int
  ) throws -> Data {
    let entries = Dictionary(
      proto.externalData.map { ($0.key, $0.value) }, uniquingKeysWith: { first, _ in first })
    guard let location = entries["location"], !location.isEmpty else {
      throw OnnxModelError("\(owner) is kept in another file, but does not say in which")
    }
    guard let folder else {
      throw OnnxModelError("\(owner) is kept in the file '\(location)', which cannot be read here")
    }
    let isInside =
      !location.hasPrefix("/") && !location.contains("\0")
      && !location.split(separator: "/").contains("..")
    let file = folder.appendingPathComponent(location).resolvingSymlinksInPath()
      .standardizedFileURL
    guard isInside,
      file.path.hasPrefix(folder.path.hasSuffix("/") ? folder.path : folder.path + "/")
    else {
      throw OnnxModelError("\(owner) is kept in '\(location)', which is outside the model's folder")
    }
    func number(_ key: String) throws -> Int? {
      guard let text = entries[key] else { return nil }
      guard let value = Int(text), value >= 0 else {
        throw OnnxModelError("\(owner): the \(key) '\(text)' of its data is not a size in bytes")
      }
      return value
    }
    let offset = try number("offset") ?? 0
    let data: Data
    do { data = try RegularFile.contents(of: file) } catch {
      throw OnnxModelError("\(owner) is kept in '\(location)': \(error)")
    }
    let length = try number("length") ?? max(0, data.count - offset)
    guard offset <= data.count, length <= data.count - offset else {
      throw OnnxModelError(
        "\(owner) is kept in '\(location)' at bytes \(offset) to \(offset &+ length), but the file "
          + "has \(data.count)")
    }
    guard length == expected else {
      throw OnnxModelError("\(owner) needs \(expected) bytes, but '\(location)' gives it \(length)")
    }
    return data[(data.startIndex + offset)..<(data.startIndex + offset + length)]
  }

  static func name(_ dataType: Int32) -> String {
    let names = [
      "undefined", "float32", "uint8", "int8", "uint16", "int16", "int32", "int64", "string",
      "bool", "float16", "float64", "uint32", "uint64", "complex64", "complex128", "bfloat16",
      "float8e4m3fn", "float8e4m3fnuz", "float8e5m2", "float8e5m2fnuz", "uint4", "int4",
      "float4e2m1", "float8e8m0", "uint2", "int2",
    ]
    return names.indices.contains(Int(dataType)) ? names[Int(dataType)] : "number \(dataType)"
  }
}

/// Files that are read whole.
enum RegularFile {
  /// - Throws: `OnnxModelError` where the path is no regular file: a device or a pipe has no end.
  static func contents(of file: URL) throws -> Data {
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: file.path, isDirectory: &isFolder) else {
      throw OnnxModelError("there is no file '\(file.path)'")
    }
    let attributes = try? FileManager.default.attributesOfItem(
      atPath: file.resolvingSymlinksInPath().path)
    guard attributes?[.type] as? FileAttributeType == .typeRegular else {
      throw OnnxModelError("'\(file.path)' is not a regular file")
    }
    do { return try Data(contentsOf: file, options: .mappedIfSafe) } catch {
      throw OnnxModelError("the file '\(file.path)' cannot be read")
    }
  }
}
