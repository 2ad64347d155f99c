import Curvature
import LinearMaps
import TensorPrograms

/// All samples of a problem, of which some were drawn because all would take too long to diagnose.
struct SampleChoice {
  let data: [Tensor]

  var count: Int { data[0].shape[0] }

  /// Draws samples without replacement, in their order; in whole batches where the model takes no others.
  ///
  /// A number that divides all samples is preferred, so that one program serves for both.
  static func draw(
    _ wanted: Int, of count: Int, batch: Int, seed: Int
  ) -> [Int] {
    let groups = max(1, count / batch)
    let most = max(1, wanted / batch)
    let chosen = (max(1, (most + 1) / 2)...most).last { groups % $0 == 0 } ?? most
    var generator = SeededGenerator(seed: UInt64(bitPattern: Int64(seed)) &+ 2)
    return (0..<groups).shuffled(using: &generator).prefix(chosen).sorted()
      .flatMap { $0 * batch..<($0 + 1) * batch }
  }
}

/// What is known of the sharpness over all samples, from some of them.
public struct SharpnessOnAllSamples: Sendable, Equatable, Codable {
  /// All samples, of which `problem.samples` were diagnosed.
  public var samples: Int
  /// A Rayleigh quotient of the Hessian over all samples: its largest eigenvalue is at least this.
  public var value: Double
  /// An eigenvalue lies within this of `value`.
  public var residual: Double
  /// Products with the Hessian over all samples.
  public var operatorApplications: Int
}
