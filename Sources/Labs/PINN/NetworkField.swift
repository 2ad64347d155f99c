import Curvature
import TensorPrograms

/// What a network says at some points, as a field: its value and its derivatives in the coordinates,
/// taken by the traced program's own forward derivative, twice for second ones.
///
/// Every member is a traced vector with one entry per point.
public struct NetworkField {
  /// From the parameters and the points `[n, d]` to `[n]`.
  let network: Program
  let parameters: [Traced]
  let points: Traced

  private var inputs: [Traced] { parameters + [points] }

  public var value: Traced { points.builder.inline(network, inputs)[0] }

  /// `du / dx_axis`.
  public func derivative(_ axis: Int) -> Traced {
    points.builder.inline(Self.along(axis, network), inputs)[1]
  }

  /// `d^2 u / dx_axis^2`.
  public func secondDerivative(_ axis: Int) -> Traced {
    // Results: u, u_k, and the derivatives of both along the same axis.
    points.builder.inline(Self.along(axis, Self.along(axis, network)), inputs)[3]
  }

  /// The program with its derivatives along one coordinate of the points, which all points move along
  /// at once: no point's value depends on another's.
  static func along(_ axis: Int, _ program: Program) -> Program {
    let position = program.inputs.count - 1
    let type = program.inputTypes[position]
    let moving = program.jvp(withRespectTo: [position])
    var unit = [Double](repeating: 0, count: type.shape[1])
    unit[axis] = 1
    let direction = Tensor(unit, type: TensorType(type.element, Shape([unit.count])))
    do {
      return try Program.trace(program.inputTypes) { arguments in
        let builder = arguments[0].builder
        return builder.inline(
          moving, arguments + [builder.constant(direction).broadcast(to: type.shape)])
      }.simplified()
    } catch { preconditionFailure("a derivative that does not fit its own program: \(error)") }
  }
}

/// A dense network with tanh between its layers and one output: `2-16-16-1`.
public struct TanhNetwork: Sendable, Equatable {
  /// Widths from the coordinates to the one output.
  public let layers: [Int]

  /// - Precondition: at least two widths, the last 1.
  public init(_ layers: [Int]) {
    precondition(
      layers.count >= 2 && layers.last == 1 && layers.allSatisfy { $0 > 0 },
      "\(layers) are no widths of a network with one output")
    self.layers = layers
  }

  /// Weights `[in, out]` and biases `[out]` by turns.
  public var parameters: [LossDefinition.Parameter] {
    zip(layers, layers.dropFirst()).enumerated().flatMap { index, widths in
      [
        LossDefinition.Parameter("w\(index + 1)", [widths.0, widths.1]),
        LossDefinition.Parameter("b\(index + 1)", [widths.1], isBias: true),
      ]
    }
  }

  public var parameterCount: Int { parameters.reduce(0) { $0 + $1.shape.count } }

  /// From the parameters and points `[count, d]` to the outputs `[count]`.
  func program(points count: Int, _ element: ElementType) -> Program {
    let types =
      parameters.map { TensorType(element, $0.shape) }
      + [TensorType(element, [count, layers[0]])]
    do {
      return try Program.trace(types) { arguments in
        var values = arguments[arguments.count - 1]
        for layer in 0..<layers.count - 1 {
          values = values.matmul(arguments[2 * layer]) + arguments[2 * layer + 1]
          if layer < layers.count - 2 { values = values.tanh() }
        }
        return [values.reshaped([count])]
      }
    } catch { preconditionFailure("a network that does not fit its own parameters: \(error)") }
  }
}
