import LinearMaps
import TensorPrograms

extension LinearMapScalar {
  /// The tensor element type of the same precision.
  package static var element: ElementType { Self.precisionName == "float32" ? .float32 : .float64 }
}

/// Where each of some parameters lies in the flat vector of them.
struct ParameterLayout {
  private(set) var types: [TensorType] = []
  private(set) var offsets: [Int] = []
  private(set) var count = 0

  init(_ types: [TensorType]) {
    self.types = types
    for type in types {
      offsets.append(count)
      count += type.shape.count
    }
  }

  /// The position in `types` of the parameter that holds entry `index`.
  func parameter(at index: Int) -> Int { offsets.lastIndex { $0 <= index }! }

  /// One view per parameter onto a flat vector, which is read or written in place.
  func views<Scalar: LinearMapScalar>(_ flat: UnsafePointer<Scalar>) -> [TensorView] {
    zip(types, offsets).map { type, offset in
      TensorView(UnsafeMutableRawPointer(mutating: flat + offset), type: type)
    }
  }
}

extension [TensorView] {
  package var arguments: [Argument] { map { .view($0) } }
  package var destinations: [Destination] { map { .view($0) } }
}
