import LinearMaps
import Training

/// The sharpness as the steps of a caller's loop meet it, by what its optimizer is at each check: schedules may part
/// the rates of its groups, and change its rule, while it runs.
struct StepSharpness: Tracker {
  /// What the first check is likely to be.
  let name: String
  private let plain: Sharpness
  private let divided: PreconditionedSharpness

  init(_ name: String, period: Int) {
    var look = SharpnessLook()
    look.period = period
    self.name = name
    plain = Sharpness(look)
    divided = PreconditionedSharpness(look)
  }

  var phrase: String { name == plain.name ? plain.phrase : divided.phrase }
  var hyperparameters: [String: Double] { plain.hyperparameters }
  var period: Int { plain.period }
  var isGuiding: Bool { true }

  func check<Scalar: LinearMapScalar>(
    _ moment: TrackingMoment<Scalar>, _ memory: inout TrackerMemory
  ) throws -> [TrackedValue] {
    try moment.stepper?.rule?.isPreconditioned == true
      ? divided.check(moment, &memory) : plain.check(moment, &memory)
  }
}
