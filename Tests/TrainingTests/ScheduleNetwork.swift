import Curvature
import LinearMaps
import OnnxBackend
import TensorPrograms

/// A tanh network 1-40-40-1 on 20 points of a Chebyshev polynomial, `f = mean (y - T_4(x))^2 / 2`: full-batch
/// descent on it comes to the edge of stability.
enum ScheduleNetwork {
  static let sizes = [1, 40, 40, 1]

  static func objective<Scalar: LinearMapScalar>() throws -> Objective<Scalar> {
    let inputs = (0..<20).map { -1 + 2 * Double($0) / 19 }
    let targets = inputs.map { 8 * $0 * $0 * $0 * $0 - 8 * $0 * $0 + 1 }
    let parameters = zip(sizes, sizes.dropFirst()).enumerated().flatMap { layer, pair in
      [
        LossDefinition.Parameter("weight\(layer)", [pair.0, pair.1]),
        LossDefinition.Parameter("bias\(layer)", [pair.1], role: .bias),
      ]
    }
    let definition = LossDefinition(parameters: parameters) { p, data in
      var h = (data[0].matmul(p[0]) + p[1]).tanh()
      h = (h.matmul(p[2]) + p[3]).tanh()
      return (h.matmul(p[4]) + p[5] - data[1]).square().mean() * 0.5
    }
    return try Objective(
      definition,
      data: [
        Tensor(inputs, type: TensorType(Scalar.element, [20, 1])),
        Tensor(targets, type: TensorType(Scalar.element, [20, 1])),
      ], executor: OnnxExecutor())
  }

  /// Weights of variance `1 / fan-in`, biases of zero.
  static func start<Scalar: LinearMapScalar>(seed: UInt64) -> [Scalar] {
    var generator = SeededGenerator(seed: seed)
    return zip(sizes, sizes.dropFirst()).flatMap { from, to -> [Scalar] in
      let scale = 1 / Double(from).squareRoot()
      return (0..<from * to).map { _ in Scalar(scale * generator.nextNormal()) }
        + [Scalar](repeating: 0, count: to)
    }
  }
}
