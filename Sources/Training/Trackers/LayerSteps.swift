import Curvature
import LinearMaps

/// Layer by layer, the gradient's norm where the step began and how far the step moved the layer beside its own
/// size, `|x_l' - x_l| / |x_l|`.
public struct LayerSteps: Tracker {
  public static let entry = TrackerEntry(
    "layers", formula: "|g_l| and |x_l' - x_l| / |x_l| by layer", hyperparameters: [.period(100)]
  ) { LayerSteps(period: $0.period(100)) }

  public let name = "layers"
  public let phrase = "gradient norm and update-to-weight ratio of each layer"
  public let period: Int
  public let looksAtSteps = true

  public init(period: Int = 100) { self.period = period }

  public var hyperparameters: [String: Double] { ["period": Double(period)] }

  public func check<Scalar: LinearMapScalar>(
    _ moment: TrackingMoment<Scalar>, _ memory: inout TrackerMemory
  ) throws -> [TrackedValue] {
    guard let origin = moment.origin else { return [] }
    let gradient = try moment.sample.valueAndGradient(at: origin).gradient
    var move = moment.point
    Scalar.axpy(move.count, -1, origin, &move)
    return moment.sample.parameters.layers.flatMap { layer in
      let ranges = moment.sample.coordinates(of: layer.parameters)
      func norm(_ values: [Scalar]) -> Double {
        values.withUnsafeBufferPointer { values in
          ranges.reduce(0) {
            let part = values.baseAddress! + $1.lowerBound
            return $0 + Scalar.dot($1.count, part, part)
          }.squareRoot()
        }
      }
      let size = norm(origin)
      let values = [TrackedValue("gradient-norm", part: layer.name, norm(gradient))]
      return size > 0
        ? values + [TrackedValue("update-to-weight", part: layer.name, norm(move) / size)] : values
    }
  }
}
