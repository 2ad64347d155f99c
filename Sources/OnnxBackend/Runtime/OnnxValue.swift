import COnnxRuntime

/// Element types that cross the border, with ONNX's numbers.
enum OnnxElement: Int32, Sendable, CaseIterable {
  case float32 = 1
  case int32 = 6
  case int64 = 7
  case bool = 9
  case float64 = 11

  var byteCount: Int {
    switch self {
    case .float32, .int32: 4
    case .int64, .float64: 8
    case .bool: 1
    }
  }
}

/// A tensor that ONNX Runtime can read or write: its own memory, or a view of the caller's.
// Unchecked: the handle is set once; who shares a value that is being written must synchronise.
final class OnnxValue: @unchecked Sendable {
  let environment: OnnxEnvironment
  let handle: OpaquePointer

  init(owning handle: OpaquePointer, environment: OnnxEnvironment) {
    self.handle = handle
    self.environment = environment
  }

  /// A view of the caller's memory, which must outlive the value; nothing is copied.
  convenience init(
    over memory: UnsafeMutableRawPointer, shape: [Int], element: OnnxElement,
    environment: OnnxEnvironment
  ) throws {
    let table = environment.library.table
    var handle: OpaquePointer?
    let status = shape.withUnsafeBufferPointer { dimensions in
      dimensions.withMemoryRebound(to: Int64.self) { dimensions in
        ort_create_tensor_over_memory(
          table, environment.cpuMemory, memory, shape.reduce(element.byteCount, *),
          dimensions.baseAddress, shape.count, element.rawValue, &handle)
      }
    }
    try environment.library.check(status, "binding a tensor of shape \(shape)")
    self.init(owning: handle!, environment: environment)
  }

  /// Memory of ONNX Runtime's own, uninitialised.
  convenience init(shape: [Int], element: OnnxElement, environment: OnnxEnvironment) throws {
    let table = environment.library.table
    let dimensions = shape.map(Int64.init)
    var handle: OpaquePointer?
    try environment.library.check(
      ort_create_tensor(
        table, environment.allocator, dimensions, dimensions.count, element.rawValue, &handle),
      "allocating a tensor of shape \(shape)")
    self.init(owning: handle!, environment: environment)
  }

  deinit { ort_release_value(environment.library.table, handle) }

  /// The first byte of the elements, contiguous in row-major order.
  func memory() throws -> UnsafeMutableRawPointer {
    var pointer: UnsafeMutableRawPointer?
    try environment.library.check(
      ort_tensor_mutable_data(environment.library.table, handle, &pointer), "reading a tensor")
    // A tensor without elements may have no memory; nobody reads through this address.
    return pointer ?? UnsafeMutableRawPointer(bitPattern: 64)!
  }

  /// Shape and element type as ONNX Runtime sees them; the type is nil where it has no name here.
  func type() throws -> (shape: [Int], element: OnnxElement?) {
    let library = environment.library
    var info: OpaquePointer?
    try library.check(ort_tensor_type_and_shape(library.table, handle, &info), "reading a type")
    defer { ort_release_type_and_shape(library.table, info) }
    var (rank, element) = (0, Int32(0))
    try library.check(ort_dimension_count(library.table, info, &rank), "reading a rank")
    try library.check(ort_tensor_element_type(library.table, info, &element), "reading a type")
    var shape = [Int64](repeating: 0, count: rank)
    try library.check(ort_dimensions(library.table, info, &shape, rank), "reading a shape")
    return (shape.map(Int.init), OnnxElement(rawValue: element))
  }
}
