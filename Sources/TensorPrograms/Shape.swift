/// The sizes of a tensor's axes, outermost first; the empty shape is a scalar.
public struct Shape: Hashable, Sendable, ExpressibleByArrayLiteral {
  public var dimensions: [Int]

  public init(_ dimensions: [Int]) {
    precondition(dimensions.allSatisfy { $0 >= 0 }, "negative dimension in \(dimensions)")
    self.dimensions = dimensions
  }

  public init(arrayLiteral elements: Int...) { self.init(elements) }

  public static let scalar: Shape = []

  public var rank: Int { dimensions.count }

  /// Number of elements: the product of all dimensions, 1 for a scalar.
  /// - Precondition: `isCountable`.
  public var count: Int { dimensions.reduce(1, *) }

  /// Whether an integer can count the elements, or those that there were without the empty axes.
  var isCountable: Bool {
    var count = 1
    return dimensions.allSatisfy { size in
      let (product, overflows) = count.multipliedReportingOverflow(by: max(1, size))
      count = product
      return !overflows
    }
  }

  /// Row-major strides in elements.
  public var strides: [Int] {
    var strides = [Int](repeating: 1, count: rank)
    for axis in stride(from: rank - 2, through: 0, by: -1) {
      strides[axis] = strides[axis + 1] * dimensions[axis + 1]
    }
    return strides
  }

  public subscript(axis: Int) -> Int {
    get { dimensions[axis] }
    set { dimensions[axis] = newValue }
  }

  /// The shape without the named axes.
  public func removing(_ axes: [Int]) -> Shape {
    Shape(dimensions.indices.filter { !axes.contains($0) }.map { dimensions[$0] })
  }

  /// The shape with `size` put in front of axis `axis`.
  public func inserting(_ size: Int, at axis: Int) -> Shape {
    var copy = dimensions
    copy.insert(size, at: axis)
    return Shape(copy)
  }

  /// The common shape of two operands under trailing-axis broadcasting, or nil if there is none.
  public func broadcast(with other: Shape) -> Shape? {
    let rank = max(self.rank, other.rank)
    var result = [Int](repeating: 1, count: rank)
    for axis in 0..<rank {
      let left = axis - (rank - self.rank)
      let right = axis - (rank - other.rank)
      let a = left >= 0 ? self[left] : 1
      let b = right >= 0 ? other[right] : 1
      guard a == b || a == 1 || b == 1 else { return nil }
      result[axis] = a == 1 ? b : a
    }
    return Shape(result)
  }
}

extension Shape: CustomStringConvertible {
  public var description: String { "[\(dimensions.map(String.init).joined(separator: ", "))]" }
}

/// The type of a tensor's elements.
public enum ElementType: String, Hashable, Sendable, CaseIterable {
  case float32, float64, int32, int64, bool

  public var isFloating: Bool { self == .float32 || self == .float64 }

  public var byteCount: Int {
    switch self {
    case .float32, .int32: 4
    case .float64, .int64: 8
    case .bool: 1
    }
  }
}

/// Element type and shape: what a program knows of a value before it runs.
public struct TensorType: Hashable, Sendable, CustomStringConvertible {
  public var element: ElementType
  public var shape: Shape

  public init(_ element: ElementType, _ shape: Shape) {
    self.element = element
    self.shape = shape
  }

  public var byteCount: Int { shape.count * element.byteCount }

  public var description: String { "\(element.rawValue)\(shape)" }
}
