import Foundation
import LinearMaps
import TensorPrograms

/// The distribution of targets whose likelihood a loss measures:
/// `loss(f, y) = scale (1/n) sum_i -log p(y_i | f_i)`, up to a constant, over the samples `i`.
///
/// Outputs of one sample, beyond the class axis, are independent. A loss that averages over the outputs
/// or positions of a sample instead of adding them up has `scale` one over their number.
public struct OutputDistribution: Sendable, Hashable {
  public enum Family: String, Sendable, Hashable, Codable, CaseIterable {
    /// One of the classes of the last axis, by the softmax of the outputs: cross-entropy.
    case categorical
    /// 0 or 1 per output, by its sigmoid: log loss.
    case bernoulli
    /// A number per output with the output as mean and variance 1: half squared errors.
    case gaussian
  }

  public var family: Family
  public var scale: Double

  public init(_ family: Family, scale: Double = 1) {
    self.family = family
    self.scale = scale
  }

  /// The distribution for that many times the loss.
  package func times(_ factor: Double) -> Self { Self(family, scale: scale * factor) }

  /// `F u` for the Fisher information `F` of each sample's distribution, without `scale`:
  /// `diag(p) - p p'` of softmax probabilities, `p (1 - p)` of a sigmoid, 1 of a Gaussian.
  func information(at outputs: Traced, along u: Traced) -> Traced {
    switch family {
    case .categorical:
      let p = outputs.softmax(axis: outputs.rank - 1)
      let weighted = p * u
      return weighted - p * weighted.sum([outputs.rank - 1], keepingAxes: true)
    case .bernoulli:
      let p = outputs.sigmoid()
      return p * (1 - p) * u
    case .gaussian: return u
    }
  }

  /// `d/df -log p(y | f)` at targets `y` drawn from the model through `noise`.
  func score(at outputs: Traced, noise: Traced) -> Traced {
    switch family {
    case .categorical:
      let axis = outputs.rank - 1
      let disturbed = outputs + noise
      let drawn = disturbed.compare(.equal, disturbed.max([axis], keepingAxes: true))
        .converted(to: outputs.element)
      // Where rounding makes two classes tie, they share the draw.
      return outputs.softmax(axis: axis) - drawn / drawn.sum([axis], keepingAxes: true)
    case .bernoulli:
      let p = outputs.sigmoid()
      return p - noise.compare(.less, p).converted(to: outputs.element)
    case .gaussian: return noise
    }
  }

  /// The random numbers that `score` turns into targets: Gumbel, whose largest sum with the outputs
  /// falls on a class by its softmax; uniform; or normal.
  func noise(_ type: TensorType, seed: UInt64) -> Tensor {
    var generator = SeededGenerator(seed: seed)
    let values = (0..<type.shape.count).map { _ in
      switch family {
      case .categorical: -log(-log(max(generator.nextUniform(), 0x1p-53)))
      case .bernoulli: generator.nextUniform()
      case .gaussian: generator.nextNormal()
      }
    }
    return Tensor(values, type: type)
  }
}
