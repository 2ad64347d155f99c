import Foundation
import TensorPrograms

/// A small network with a loss whose derivatives are known to some 13 digits, computed in 50-digit
/// arithmetic without automatic differentiation.
///
/// The parameters are `0.5 sin(k)`, k = 1, 2, ..., over the parameter tensors in order.
package struct KnownAnswerNetwork: Sendable, CustomStringConvertible {
  package let name: String
  package let parameterShapes: [Shape]
  package let loss: Double
  package let gradient: [Double]
  /// The Hessian's product with (1, -1, 1, -1, ...), where it is known.
  package let hessianProduct: [Double]?
  /// Of the Hessian, ascending.
  package let eigenvalues: [Double]
  package let trace: Double
  package let frobeniusNorm: Double
  /// `g'Hg` for the gradient `g`.
  package let gradientCurvature: Double
  private let body: @Sendable ([Traced]) -> Traced

  package var description: String { name }

  /// Parameters to the loss.
  package func program(_ element: ElementType) throws -> Program {
    try Program.trace(parameterShapes.map { TensorType(element, $0) }) { [body($0)] }
  }

  package func parameters(_ element: ElementType) -> [Tensor] {
    unflattened((1...gradient.count).map { 0.5 * sin(Double($0)) }, element)
  }

  /// `values` cut into one tensor per parameter.
  package func unflattened(_ values: [Double], _ element: ElementType) -> [Tensor] {
    var rest = values[...]
    return parameterShapes.map { shape in
      defer { rest = rest.dropFirst(shape.count) }
      return Tensor(Array(rest.prefix(shape.count)), type: TensorType(element, shape))
    }
  }

  package static let all = [xor, recurrent, classifier]

  package static let xor = KnownAnswerNetwork(
    name: "MLP 2-3-1 tanh on exclusive or",
    parameterShapes: [[3, 2], [3], [3], []],
    loss: 0.303751640158886,
    gradient: [
      0.04666595779295, 0.04065765778955, 0.1063351136057, 0.1292342096213, 0.07170061683576,
      0.06993971275564, 0.09699781127543, 0.2508086733797, 0.1516560569731, -0.3663248624869,
      -0.1954453939416, 0.05153096496525, -0.5886468021845,
    ],
    hessianProduct: [
      0.02130092375372, 0.07677341169956, -0.35243909475, -0.4794439178454, 0.2717801696148,
      0.1166891614471, 0.09562141711364, -0.8198126176351, 0.4199460390483, 0.1549533575052,
      0.7657707064188, -0.6175312722843, 0.8618429167231,
    ],
    eigenvalues: [
      -0.6860057616236, -0.6052432935957, -0.4676861579117, -0.05898637777438,
      -0.03022325877093, -0.002047651300875, -0.00161082558311, 0.04836906075684,
      0.05012321062539, 0.220563253167, 0.44853453074, 0.7188927876852, 2.072653821959,
    ],
    trace: 1.707333338374, frobeniusNorm: 2.475366094047, gradientCurvature: 1.338607162448
  ) { parameters in
    let (w1, b1, w2, b2) = (parameters[0], parameters[1], parameters[2], parameters[3])
    let x = w1.constant([0, 0, 0, 1, 1, 0, 1, 1], [4, 2])
    let y = w1.constant([0, 1, 1, 0], [4])
    let output = (x.matmul(w1.transposed()) + b1).tanh().matmul(w2) + b2
    return (output - y).square().sum() * 0.125
  }

  package static let recurrent = KnownAnswerNetwork(
    name: "RNN 1-2-1, three steps",
    parameterShapes: [[2, 2], [2], [2], [2], []],
    loss: 0.295923504734215,
    gradient: [
      -0.07844951882834, -0.05741278197499, 0.1516487405207, 0.05429392281733,
      -0.05348365436418, 0.2194687035633, -0.1431473686708, 0.119531259979, -0.4122642098534,
      -0.2255385953476, -0.7693159360552,
    ],
    hessianProduct: [
      -0.05584351952082, -0.01844793555589, 0.07577889614576, 0.3430769110713,
      -0.1798599243589, 0.5800347673135, -0.1561831248399, 0.4286534367309, 0.01244337249038,
      1.490511135601, 1.839757101024,
    ],
    eigenvalues: [
      -1.206065837364, -0.6710391520414, -0.1758336918516, -0.09587231739724,
      0.01308528776723, 0.07703886159185, 0.1378397419832, 0.4412506685519, 0.6408348654891,
      1.12818573317, 1.749278222737,
    ],
    trace: 2.038702382636, frobeniusNorm: 2.628355411255, gradientCurvature: 1.445596598249
  ) { parameters in
    let (w, u, b, v, c) = (
      parameters[0], parameters[1], parameters[2], parameters[3], parameters[4]
    )
    var h = b.constant([0, 0], [2])
    for x in [1, -1, 0.5] { h = (w.matmul(h) + u * x + b).tanh() }
    return (v.matmul(h) + c - 0.3).square() * 0.5
  }

  package static let classifier = KnownAnswerNetwork(
    name: "softmax cross-entropy of an MLP 2-2-3 tanh",
    parameterShapes: [[2, 2], [2], [3, 2], [3]],
    loss: 0.972430896172252,
    gradient: [
      -0.1406368100268, -0.1072649740119, -0.2408868362047, -0.01297571857407,
      -0.1536837214557, -0.084154783384, -0.05477709465751, -0.005245530631284,
      -0.09028880711678, 0.09972901943223, 0.1450659017743, -0.09448348880095,
      -0.09240612547078, 0.03574166240225, 0.05666446306853,
    ],
    hessianProduct: nil,
    eigenvalues: [
      -0.4758084720728, -0.3199420270157, -0.2766794023085, -0.2203657457568, 0, 0, 0,
      0.02425196028041, 0.1320539286238, 0.2441128064716, 0.2615285540638, 0.3296340402873,
      0.463186291086, 0.5569267582755, 0.6513053499347,
    ],
    trace: 1.370204041869, frobeniusNorm: 1.287419906065, gradientCurvature: 0.01404977905346
  ) { parameters in
    let (w1, b1, w2, b2) = (parameters[0], parameters[1], parameters[2], parameters[3])
    let x = w1.constant([1, 0, 0, 1, -1, -1], [3, 2])
    let hidden = (x.matmul(w1.transposed()) + b1).tanh()
    let logits = hidden.matmul(w2.transposed()) + b2
    let classes = logits.builder.constant(Tensor([0, 1, 2] as [Int32], shape: [3, 1]))
    let chosen = logits.gather(classes, axis: 1, batch: 1).reshaped([3])
    return (logits.logSumExp(axis: 1) - chosen).mean()
  }
}

extension Traced {
  fileprivate func constant(_ values: [Double], _ shape: Shape) -> Traced {
    builder.constant(Tensor(values, type: TensorType(element, shape)))
  }
}
