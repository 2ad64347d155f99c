import Foundation
import TensorPrograms

/// Random numbers, drawn once by the seed. Every sample gets the same draw, so that a sample's loss does not
/// depend on the batch that it is in.
extension OperatorCatalogue {
  static let randomness: [OperatorRule] = [
    OperatorRule("RandomNormalLike", constants: OperatorRule.everyInput) { node in
      [try node.drawn(node.input(0).shape, like: node.input(0), isNormal: true)]
    },
    OperatorRule("RandomUniformLike", constants: OperatorRule.everyInput) { node in
      [try node.drawn(node.input(0).shape, like: node.input(0), isNormal: false)]
    },
    OperatorRule("RandomNormal") { node in
      [try node.drawn(node.shape(node.ints("shape") ?? []), like: nil, isNormal: true)]
    },
    OperatorRule("RandomUniform") { node in
      [try node.drawn(node.shape(node.ints("shape") ?? []), like: nil, isNormal: false)]
    },
  ]

  static let randomOperators: Set<String> = Set(randomness.map(\.name))
}

extension NodeContext {
  /// Reference for normal numbers: Box and Muller, A Note on the Generation of Random Normal Deviates, 1958.
  fileprivate func drawn(_ shape: Shape, like model: Traced?, isNormal: Bool) throws -> Traced {
    let real = importer.reader.floating ?? .float32
    let element = try int("dtype").map(element) ?? model?.element ?? real
    guard element.isFloating else { throw fail("it cannot draw numbers of \(element.rawValue)") }
    guard shape.count <= 1 << 24 else { throw fail("\(shape) is too large to draw") }
    let isShared = shape.rank >= 2
    let one = isShared ? Shape([1] + shape.dimensions.dropFirst()) : shape
    let values = randomShares(2 * one.count)
    let numbers = (0..<one.count).map { index -> Double in
      let (a, b) = (values[2 * index], values[2 * index + 1])
      guard isNormal else {
        return float("low", 0) + (float("high", 1) - float("low", 0)) * a
      }
      let size = (-2 * log(1 - a)).squareRoot()
      return float("mean", 0) + float("scale", 1) * size * cos(2 * Double.pi * b)
    }
    return builder.constant(Tensor(numbers, type: TensorType(element, one))).broadcast(to: shape)
  }
}
