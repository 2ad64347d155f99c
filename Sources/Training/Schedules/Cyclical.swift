import Foundation
import Presentation

/// Up and down along lines between `low rate` and `rate`: with `c = floor(1 + t / 2S)` and
/// `x = |t / S - 2c + 1|`, `rate (low + (1 - low) max(0, 1 - x) scale)`.
///
/// The scale is 1 (triangular), `1 / 2^(c - 1)` (triangular2) or `fade^(t / T)` over a run of `T` steps
/// (exp-range), which is the paper's `gamma^t` for `fade = gamma^T`. PyTorch's `CyclicLR(base_lr, max_lr,
/// step_size_up=S)`; the momentum, which that one cycles too, stays as it is. The rate given is the upper bound;
/// by default the run is four whole cycles from a quarter of it, so that it ends at the lower.
/// Reference: Smith, "Cyclical Learning Rates for Training Neural Networks", arXiv:1506.01186.
public struct Cyclical: Schedule {
  public enum Scale: Sendable, Equatable {
    case constant
    case halved
    /// The height that is left at the end of the run.
    case fading(Double)
  }

  private static let formula = "x = |t / S - 2c + 1| with c = floor(1 + t / 2S)"
  private static let source = "Smith, arXiv:1506.01186; PyTorch, CyclicLR"
  private static let common = [
    Hyperparameter(
      "low", 0.25, .from(0, below: 1), "the lower bound, as a share of the rate given"),
    .length("half", 0.125, "the way from one bound to the other, S"),
  ]

  public static let triangular = ScheduleEntry(
    "triangular", formula: "rate (low + (1 - low) max(0, 1 - x)), \(formula)", source: source,
    hyperparameters: common
  ) { Cyclical(.constant, low: $0["low"]!, half: $0["half"]!) }

  public static let triangular2 = ScheduleEntry(
    "triangular2", formula: "rate (low + (1 - low) max(0, 1 - x) / 2^(c - 1)), \(formula)",
    source: source, hyperparameters: common
  ) { Cyclical(.halved, low: $0["low"]!, half: $0["half"]!) }

  public static let expRange = ScheduleEntry(
    "exp-range", formula: "rate (low + (1 - low) max(0, 1 - x) fade^(t / T)), \(formula)",
    source: source,
    hyperparameters: common + [
      Hyperparameter("fade", 0.1, .above(0, to: 1), "the height left at the end of the run")
    ]
  ) { Cyclical(.fading($0["fade"]!), low: $0["low"]!, half: $0["half"]!) }

  public let scale: Scale
  public let low: Double
  public let half: ScheduleLength

  public init(_ scale: Scale = .constant, low: Double = 0.25, half: Double = 0.125) {
    precondition(low >= 0 && low < 1, "a lower bound of \(low) of the rate is outside of [0, 1)")
    self.scale = scale
    self.low = low
    self.half = ScheduleLength(half)
  }

  public var name: String {
    switch scale {
    case .constant: "triangular"
    case .halved: "triangular2"
    case .fading: "exp-range"
    }
  }

  public var phrase: String {
    "the rate cycling between \(Wording.number(low)) of it and all of it, \(half.phrase) each way"
      + {
        switch scale {
        case .constant: ""
        case .halved: ", half as high from cycle to cycle"
        case .fading(let left): ", fading to \(Wording.number(left)) of the height"
        }
      }()
  }

  public var hyperparameters: [String: Double] {
    var values = ["low": low, "half": half.value]
    if case .fading(let left) = scale { values["fade"] = left }
    return values
  }

  public mutating func rate(_ moment: ScheduleMoment) -> Double {
    let step = Double(moment.step)
    let half = half.steps(of: moment.stepCount)
    let cycle = (1 + step / (2 * half)).rounded(.down)
    let height = max(0, 1 - abs(step / half - 2 * cycle + 1))
    let scale =
      switch scale {
      case .constant: 1.0
      case .halved: pow(2, 1 - cycle)
      case .fading(let left): pow(left, step / Double(max(1, moment.stepCount)))
      }
    return moment.rate * (low + (1 - low) * height * scale)
  }
}
