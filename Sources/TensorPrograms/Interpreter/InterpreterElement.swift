import Foundation

/// A type that tensors store. Kernels are generic over it and called once per element type, so that
/// the compiler specialises their loops.
protocol InterpreterElement {
  static func values(of tensor: Tensor) -> [Self]
  static func storage(_ values: [Self]) -> Tensor.Storage
  static var zero: Self { get }
}

protocol InterpreterNumber: InterpreterElement, Comparable {
  /// Wraps around for integers.
  static func sum(_ a: Self, _ b: Self) -> Self
  /// NaN where either is NaN.
  static func larger(_ a: Self, _ b: Self) -> Self
  /// NaN where either is NaN.
  static func smaller(_ a: Self, _ b: Self) -> Self
  static var lowest: Self { get }
  /// Rounded to the type; for integers truncated, the ends of the range beyond it, 0 for NaN.
  static func rounded(_ value: Double) -> Self
}

protocol InterpreterReal: InterpreterNumber, BinaryFloatingPoint {
  static func exp(_ x: Self) -> Self
  static func log(_ x: Self) -> Self
  static func expm1(_ x: Self) -> Self
  static func log1p(_ x: Self) -> Self
  static func sin(_ x: Self) -> Self
  static func cos(_ x: Self) -> Self
  static func tan(_ x: Self) -> Self
  static func asin(_ x: Self) -> Self
  static func acos(_ x: Self) -> Self
  static func atan(_ x: Self) -> Self
  static func sinh(_ x: Self) -> Self
  static func cosh(_ x: Self) -> Self
  static func tanh(_ x: Self) -> Self
  static func erf(_ x: Self) -> Self
  static func pow(_ x: Self, _ y: Self) -> Self
}

protocol InterpreterInteger: InterpreterNumber, FixedWidthInteger, SignedInteger {}

extension InterpreterReal {
  static func sum(_ a: Self, _ b: Self) -> Self { a + b }
  static func larger(_ a: Self, _ b: Self) -> Self { a.isNaN || a > b ? a : b }
  static func smaller(_ a: Self, _ b: Self) -> Self { a.isNaN || a < b ? a : b }
  static var lowest: Self { -.infinity }
  static func rounded(_ value: Double) -> Self { Self(value) }
}

extension InterpreterInteger {
  static func sum(_ a: Self, _ b: Self) -> Self { a &+ b }
  static func larger(_ a: Self, _ b: Self) -> Self { a > b ? a : b }
  static func smaller(_ a: Self, _ b: Self) -> Self { a < b ? a : b }
  static var lowest: Self { .min }
  static func rounded(_ value: Double) -> Self { truncated(value) }

  static func truncated<T: BinaryFloatingPoint>(_ value: T) -> Self {
    Self(exactly: value.rounded(.towardZero)) ?? (value.isNaN ? 0 : value < 0 ? .min : .max)
  }
}

extension Float: InterpreterReal {
  static func values(of tensor: Tensor) -> [Float] {
    guard case .float32(let values) = tensor.storage else {
      preconditionFailure("\(tensor.type) where float32 is due")
    }
    return values
  }
  static func storage(_ values: [Float]) -> Tensor.Storage { .float32(values) }

  static func exp(_ x: Float) -> Float { Foundation.exp(x) }
  static func log(_ x: Float) -> Float { Foundation.log(x) }
  static func expm1(_ x: Float) -> Float { Foundation.expm1(x) }
  static func log1p(_ x: Float) -> Float { Foundation.log1p(x) }
  static func sin(_ x: Float) -> Float { Foundation.sin(x) }
  static func cos(_ x: Float) -> Float { Foundation.cos(x) }
  static func tan(_ x: Float) -> Float { Foundation.tan(x) }
  static func asin(_ x: Float) -> Float { Foundation.asin(x) }
  static func acos(_ x: Float) -> Float { Foundation.acos(x) }
  static func atan(_ x: Float) -> Float { Foundation.atan(x) }
  static func sinh(_ x: Float) -> Float { Foundation.sinh(x) }
  static func cosh(_ x: Float) -> Float { Foundation.cosh(x) }
  static func tanh(_ x: Float) -> Float { Foundation.tanh(x) }
  static func erf(_ x: Float) -> Float { Foundation.erf(x) }
  static func pow(_ x: Float, _ y: Float) -> Float { Foundation.pow(x, y) }
}

extension Double: InterpreterReal {
  static func values(of tensor: Tensor) -> [Double] {
    guard case .float64(let values) = tensor.storage else {
      preconditionFailure("\(tensor.type) where float64 is due")
    }
    return values
  }
  static func storage(_ values: [Double]) -> Tensor.Storage { .float64(values) }

  static func exp(_ x: Double) -> Double { Foundation.exp(x) }
  static func log(_ x: Double) -> Double { Foundation.log(x) }
  static func expm1(_ x: Double) -> Double { Foundation.expm1(x) }
  static func log1p(_ x: Double) -> Double { Foundation.log1p(x) }
  static func sin(_ x: Double) -> Double { Foundation.sin(x) }
  static func cos(_ x: Double) -> Double { Foundation.cos(x) }
  static func tan(_ x: Double) -> Double { Foundation.tan(x) }
  static func asin(_ x: Double) -> Double { Foundation.asin(x) }
  static func acos(_ x: Double) -> Double { Foundation.acos(x) }
  static func atan(_ x: Double) -> Double { Foundation.atan(x) }
  static func sinh(_ x: Double) -> Double { Foundation.sinh(x) }
  static func cosh(_ x: Double) -> Double { Foundation.cosh(x) }
  static func tanh(_ x: Double) -> Double { Foundation.tanh(x) }
  static func erf(_ x: Double) -> Double { Foundation.erf(x) }
  static func pow(_ x: Double, _ y: Double) -> Double { Foundation.pow(x, y) }
}

extension Int32: InterpreterInteger {
  static func values(of tensor: Tensor) -> [Int32] {
    guard case .int32(let values) = tensor.storage else {
      preconditionFailure("\(tensor.type) where int32 is due")
    }
    return values
  }
  static func storage(_ values: [Int32]) -> Tensor.Storage { .int32(values) }
}

extension Int64: InterpreterInteger {
  static func values(of tensor: Tensor) -> [Int64] {
    guard case .int64(let values) = tensor.storage else {
      preconditionFailure("\(tensor.type) where int64 is due")
    }
    return values
  }
  static func storage(_ values: [Int64]) -> Tensor.Storage { .int64(values) }
}

extension Bool: InterpreterElement {
  static func values(of tensor: Tensor) -> [Bool] {
    guard case .bool(let values) = tensor.storage else {
      preconditionFailure("\(tensor.type) where bool is due")
    }
    return values
  }
  static func storage(_ values: [Bool]) -> Tensor.Storage { .bool(values) }
  static var zero: Bool { false }
}
