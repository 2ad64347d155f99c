import Curvature
import Foundation
import LinearMaps
import TensorPrograms

/// A dense network on made data.
struct Network {
  var widths: [Int]
  var isTanh: Bool
  /// Whether targets are one-hot, for cross-entropy; else half the squared error.
  var isClasses = false
  var data: [Tensor]
  var seed: UInt64 = 1

  private var parameters: [LossDefinition.Parameter] {
    zip(widths, widths.dropFirst()).enumerated().flatMap { index, sizes in
      [
        LossDefinition.Parameter("weight\(index + 1)", [sizes.0, sizes.1]),
        LossDefinition.Parameter("bias\(index + 1)", [sizes.1], isBias: true),
      ]
    }
  }

  var definition: LossDefinition {
    let (isTanh, isClasses, outputs) = (isTanh, isClasses, Double(widths[widths.count - 1]))
    return LossDefinition(parameters: parameters) { parameters, data in
      var value = data[0]
      for layer in stride(from: 0, to: parameters.count, by: 2) {
        value = value.matmul(parameters[layer]) + parameters[layer + 1]
        guard layer + 2 < parameters.count else { break }
        value = isTanh ? value.tanh() : value.relu()
      }
      return isClasses
        ? (value.logSoftmax(axis: 1) * data[1]).mean() * -outputs
        : (value - data[1]).square().mean() * 0.5
    }
  }

  /// Weights `N(0, 1 / fan-in)`, biases 0.
  var start: [Double] {
    var generator = SeededGenerator(seed: seed)
    return parameters.flatMap { parameter in
      (0..<parameter.shape.count).map { _ in
        parameter.isBias
          ? 0 : generator.nextNormal() / Double(parameter.shape.dimensions[0]).squareRoot()
      }
    }
  }

  /// Twenty points of the Chebyshev polynomial of a degree.
  static func chebyshev(_ degree: Double, width: Int) -> Network {
    let x = (0..<20).map { -1 + 2 * Double($0) / 19 }
    return Network(
      widths: [1, width, width, 1], isTanh: true,
      data: [
        Tensor(x, shape: [20, 1]),
        Tensor(x.map { cos(degree * acos(max(-1, min(1, $0)))) }, shape: [20, 1]),
      ])
  }

  /// As many numbers as MNIST's images have, about ten patterns; a tenth of the labels is drawn anew.
  static func images(_ count: Int, isTanh: Bool) -> Network {
    var generator = SeededGenerator(seed: 1)
    let patterns = (0..<10).map { _ in
      (0..<784).map { _ in generator.nextUniform() < 0.2 ? 1.0 : 0 }
    }
    var (x, y): ([Float], [Float]) = ([], [])
    for index in 0..<count {
      x += patterns[index % 10].map { pixel -> Float in
        let noise = 0.3 * max(0, generator.nextNormal() - 1)
        return Float(max(0, min(1, pixel * generator.nextUniform() + noise)))
      }
      let isNoise = generator.nextUniform() < 0.1
      let label = isNoise ? Int(generator.next() % 10) : index % 10
      y += (0..<10).map { $0 == label ? 1 : 0 }
    }
    return Network(
      widths: [784, 128, 64, 10], isTanh: isTanh, isClasses: true,
      data: [Tensor(.float32(x), shape: [count, 784]), Tensor(.float32(y), shape: [count, 10])])
  }
}
