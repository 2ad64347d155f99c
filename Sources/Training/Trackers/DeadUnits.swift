import Curvature
import LinearMaps
import TensorPrograms

/// The share of each layer's units whose gradient is zero over all tracked samples: units behind a rectifier that
/// no sample reaches, which do not learn.
///
/// Read from the gradient of the layer's bias, whose entry of a unit is the mean over samples of what comes back
/// to it: exactly zero where nothing does. Only of losses that have a rectifier (`relu`, a maximum or a
/// selection), and not of the last layer, whose units are the outputs.
public struct DeadUnits: Tracker {
  public static let entry = TrackerEntry(
    "dead-units", formula: "the share of units with a gradient of zero, by layer",
    hyperparameters: [.period(200)]
  ) { DeadUnits(period: $0.period(200)) }

  public let name = "dead-units"
  public let phrase = "units that no sample reaches"
  public let period: Int

  public init(period: Int = 200) { self.period = period }

  public var hyperparameters: [String: Double] { ["period": Double(period)] }

  public func check<Scalar: LinearMapScalar>(
    _ moment: TrackingMoment<Scalar>, _ memory: inout TrackerMemory
  ) throws -> [TrackedValue] {
    guard let objective = moment.sample.objective else {
      throw TrackingError(tracker: name, reason: "it is no tensor program")
    }
    let parameters = moment.sample.parameters
    let biases = parameters.indices.filter {
      parameters[$0].role == .bias && parameters[$0].shape.rank == 1
    }
    guard biases.count > 1, try objective.gradientProgram(batch: 0).hasRectifier else { return [] }
    let gradient = doubles(try objective.valueAndGradient(at: moment.point).gradient)
    // Where nothing comes back at all, it says nothing of units.
    guard gradient.contains(where: { $0 != 0 }) else { return [] }
    return biases.dropLast().map { index in
      let range = objective.coordinates(of: [index])[0]
      let dead = gradient[range].count { $0 == 0 }
      return TrackedValue(
        name, part: parameters[index].layer, Double(dead) / Double(range.count))
    }
  }
}

extension Program {
  /// Whether some values are cut off at a bound.
  var hasRectifier: Bool {
    equations.contains { equation in
      switch equation.primitive {
      case .unary(.relu), .binary(.maximum), .select, .compare: true
      case .call(let inner): inner.hasRectifier
      default: false
      }
    }
  }
}
