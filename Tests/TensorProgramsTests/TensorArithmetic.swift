import PrimitiveTable
import TensorPrograms

/// Runs a program by the interpreter.
func interpret(_ program: Program, _ inputs: [Tensor]) throws -> [Tensor] {
  try ReferenceExecutor().compile(program).run(inputs)
}

extension [Tensor] {
  /// All floating-point elements in order.
  var numbers: [Double] { filter(\.element.isFloating).flatMap(\.doubles) }

  /// The tensors at `indices` moved by `step` along `direction`.
  func moved(_ indices: [Int], by step: Double, along direction: [Tensor]) -> [Tensor] {
    var result = self
    for (index, way) in zip(indices, direction) {
      result[index] = Tensor(
        zip(self[index].doubles, way.doubles).map { $0 + step * $1 }, type: way.type)
    }
    return result
  }

  func selecting(_ indices: [Int]) -> [Tensor] { indices.map { self[$0] } }
}

func inner(_ a: [Double], _ b: [Double]) -> Double {
  precondition(a.count == b.count)
  return zip(a, b).map { $0 * $1 }.reduce(0, +)
}

/// The largest difference, relative to the largest magnitude where that is above 1.
func distance(_ a: [Double], _ b: [Double]) -> Double {
  guard a.count == b.count else { return .infinity }
  let scale = b.map(\.magnitude).max() ?? 1
  let difference = zip(a, b).map { x, y in
    x == y || (x.isNaN && y.isNaN) ? 0 : (x - y).magnitude
  }
  return difference.contains { $0.isNaN } ? .infinity : (difference.max() ?? 0) / max(1, scale)
}

/// Random tensors of normal size.
func directions(_ types: [TensorType], seed: UInt64) -> [Tensor] {
  var random = SeededGenerator(seed)
  return types.map { Domain.uniform(-1, 1).draw($0, &random) }
}

/// The derivative of `function` at 0 by fourth-order central differences.
func slope(step: Double, _ function: (Double) throws -> [Double]) rethrows -> [Double] {
  let (a, b) = (try function(step), try function(-step))
  let (c, d) = (try function(2 * step), try function(-2 * step))
  return a.indices.map { (8 * (a[$0] - b[$0]) - (c[$0] - d[$0])) / (12 * step) }
}

extension Linearization {
  /// `J t` at `inputs`.
  func apply(_ inputs: [Tensor], _ tangents: [Tensor]) throws -> [Tensor] {
    try interpret(linear, residuals(inputs) + tangents)
  }

  func residuals(_ inputs: [Tensor]) throws -> [Tensor] {
    Array(try interpret(primal, inputs).suffix(residualTypes.count))
  }
}

/// Tensors of one type stacked along a new first axis.
func stacked(_ parts: [Tensor]) -> Tensor {
  Tensor(
    parts.flatMap(\.doubles),
    type: TensorType(parts[0].element, parts[0].shape.inserting(parts.count, at: 0)))
}
