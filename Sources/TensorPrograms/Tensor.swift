/// A contiguous, row-major array of numbers with a shape: a value, safe to share between tasks.
public struct Tensor: Hashable, Sendable {
  public enum Storage: Hashable, Sendable {
    case float32([Float])
    case float64([Double])
    case int32([Int32])
    case int64([Int64])
    case bool([Bool])

    public var count: Int {
      switch self {
      case .float32(let values): values.count
      case .float64(let values): values.count
      case .int32(let values): values.count
      case .int64(let values): values.count
      case .bool(let values): values.count
      }
    }
  }

  public let shape: Shape
  public let storage: Storage

  /// - Precondition: `storage` holds exactly `shape.count` elements.
  public init(_ storage: Storage, shape: Shape) {
    precondition(
      storage.count == shape.count, "\(storage.count) elements do not fill the shape \(shape)")
    self.storage = storage
    self.shape = shape
  }

  public init(_ values: [Float], shape: Shape) { self.init(.float32(values), shape: shape) }
  public init(_ values: [Double], shape: Shape) { self.init(.float64(values), shape: shape) }
  public init(_ values: [Int32], shape: Shape) { self.init(.int32(values), shape: shape) }
  public init(_ values: [Int64], shape: Shape) { self.init(.int64(values), shape: shape) }
  public init(_ values: [Bool], shape: Shape) { self.init(.bool(values), shape: shape) }

  /// Every element equal to `value`, rounded to `type`.
  public init(repeating value: Double, type: TensorType) {
    self.init([Double](repeating: value, count: type.shape.count), type: type)
  }

  /// `values` in row-major order, each rounded to the element type (truncated for integers, the
  /// nearest there is where it has no such integer, compared with zero for bool).
  public init(_ values: [Double], type: TensorType) {
    let storage: Storage =
      switch type.element {
      case .float32: .float32(values.map(Float.init))
      case .float64: .float64(values)
      case .int32: .int32(values.map { Int32.truncated($0) })
      case .int64: .int64(values.map { Int64.truncated($0) })
      case .bool: .bool(values.map { $0 != 0 })
      }
    self.init(storage, shape: type.shape)
  }

  public init(scalar value: Double, _ element: ElementType) {
    self.init([value], type: TensorType(element, .scalar))
  }

  public var element: ElementType {
    switch storage {
    case .float32: .float32
    case .float64: .float64
    case .int32: .int32
    case .int64: .int64
    case .bool: .bool
    }
  }

  public var type: TensorType { TensorType(element, shape) }

  /// The elements in row-major order as doubles (bool: 0 or 1; int64 beyond 2^53 is rounded).
  public var doubles: [Double] {
    switch storage {
    case .float32(let values): values.map(Double.init)
    case .float64(let values): values
    case .int32(let values): values.map(Double.init)
    case .int64(let values): values.map { Double($0) }
    case .bool(let values): values.map { $0 ? 1 : 0 }
    }
  }

  /// The value of a one-element tensor.
  /// - Precondition: `shape.count == 1`.
  public var scalarValue: Double {
    precondition(shape.count == 1, "\(type) is not one number")
    return doubles[0]
  }

  /// The same elements under another shape of equal count.
  public func reshaped(_ shape: Shape) -> Tensor { Tensor(storage, shape: shape) }

  /// The common value of all elements, or nil where they differ (0 and -0 do), where there are none, or
  /// where it is an integer that a double cannot hold.
  public var uniformValue: Double? {
    func common<T: Equatable>(_ values: [T], _ convert: (T) -> Double?) -> Double? {
      guard let first = values.first, values.allSatisfy({ $0 == first }) else { return nil }
      return convert(first)
    }
    func signed<T: BinaryFloatingPoint>(_ values: [T]) -> Double? {
      values.allSatisfy { $0.sign == values[0].sign } ? common(values) { Double($0) } : nil
    }
    return switch storage {
    case .float32(let values): signed(values)
    case .float64(let values): signed(values)
    case .int32(let values): common(values) { Double($0) }
    case .int64(let values): common(values) { Double(exactly: $0) }
    case .bool(let values): common(values) { $0 ? 1 : 0 }
    }
  }

  /// Calls `body` with the tensor's bytes, `type.byteCount` of them.
  public func withUnsafeBytes<R>(_ body: (UnsafeRawBufferPointer) throws -> R) rethrows -> R {
    switch storage {
    case .float32(let values): try values.withUnsafeBytes(body)
    case .float64(let values): try values.withUnsafeBytes(body)
    case .int32(let values): try values.withUnsafeBytes(body)
    case .int64(let values): try values.withUnsafeBytes(body)
    case .bool(let values): try values.withUnsafeBytes(body)
    }
  }

  /// Copies `type.byteCount` bytes from `bytes`.
  public init(copying bytes: UnsafeRawPointer, type: TensorType) {
    let count = type.shape.count
    func array<T>(_: T.Type) -> [T] {
      [T](unsafeUninitializedCapacity: count) { buffer, filled in
        if count > 0 {
          UnsafeMutableRawPointer(buffer.baseAddress!)
            .copyMemory(from: bytes, byteCount: count * MemoryLayout<T>.stride)
        }
        filled = count
      }
    }
    let storage: Storage =
      switch type.element {
      case .float32: .float32(array(Float.self))
      case .float64: .float64(array(Double.self))
      case .int32: .int32(array(Int32.self))
      case .int64: .int64(array(Int64.self))
      case .bool: .bool(array(Bool.self))
      }
    self.init(storage, shape: type.shape)
  }
}

extension Tensor: CustomStringConvertible {
  public var description: String {
    let shown = doubles.prefix(6).map { "\($0)" }.joined(separator: ", ")
    return "\(type)(\(shown)\(shape.count > 6 ? ", ..." : ""))"
  }
}
