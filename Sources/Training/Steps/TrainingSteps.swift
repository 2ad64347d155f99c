import Curvature
import LinearMaps

/// What a trainer moves: a point that goes on step by step, with all that its next step depends on.
///
/// `TrainingRun` is one, of any optimizer that is a tensor program; the runs of an `IterativeMethod` are
/// others, whose step searches along lines or solves for a direction.
public protocol TrainingSteps<Scalar>: AnyObject {
  associatedtype Scalar: LinearMapScalar

  var loss: any Loss<Scalar> { get }
  var parameters: [Scalar] { get }
  /// Steps taken.
  var stepCount: Int { get }
  /// The learning rate of the next step; a method that finds the length of its steps by itself scales its
  /// first trial of each by it.
  var rate: Double { get set }

  /// Takes one step.
  ///
  /// - Throws: what the executor throws, among it `CancellationError`.
  @discardableResult
  func step() throws -> StepReport

  /// Everything that the run needs to go on, bit for bit.
  var trainingState: TrainingState<Scalar> { get }

  /// The run of an optimizer that takes the next step; nil where a method with inner iterations does.
  var optimizerRun: TrainingRun<Scalar>? { get }
}

extension TrainingSteps {
  public var optimizerRun: TrainingRun<Scalar>? { nil }
}

/// What a step saw and how it went.
public struct StepReport: Sendable, Equatable, Codable {
  /// Where the gradient was taken, *before* the step; of the batch, where the gradients are of batches.
  public var loss: Double
  public var gradientNorm: Double
  /// Gradients that the step took, trials of a line search included.
  public var gradients = 1
  /// Products with a curvature matrix that the step took.
  public var products = 0
  /// Why no further step follows; nil to go on.
  public var ending: StepEnding?
  /// What the run measured and decided by itself, for the log, in order.
  public var notes: [StepNote] = []

  public init(loss: Double, gradientNorm: Double) {
    self.loss = loss
    self.gradientNorm = gradientNorm
  }
}

/// Something that a run measured or decided by itself, as a log keeps it.
public struct StepNote: Sendable, Equatable, Codable {
  public enum Kind: String, Sendable, Codable, CaseIterable {
    /// A criterion was looked at.
    case check
    /// Another method takes over.
    case change
    /// The same method goes on in float64.
    case precision
    /// The method begins anew at the best point.
    case reset
  }

  public var kind: Kind
  /// Steps taken before it.
  public var step: Int
  /// What happened, with its numbers.
  public var sentence: String
  /// The numbers by name; all finite.
  public var values: [String: Double]

  public init(_ kind: Kind, step: Int, _ sentence: String, _ values: [String: Double] = [:]) {
    self.kind = kind
    self.step = step
    self.sentence = sentence
    self.values = values.filter { $0.value.isFinite }
  }
}

/// Why a method takes no further step.
public struct StepEnding: Sendable, Equatable, Codable {
  public enum Reason: String, Sendable, Codable, CaseIterable {
    /// The decrease still to be had is below the tolerance.
    case converged
    /// It is below the rounding of the loss: more digits would go on.
    case rounding
    /// No point along the direction fulfils the conditions of the search.
    case stalled
    /// The loss falls without end as the parameters grow.
    case unbounded
    /// The loss or its gradient is not finite, and there is no way around.
    case nonFinite = "non-finite"
  }

  public var reason: Reason
  /// What happened, with its numbers, and what would go on from here.
  public var sentence: String

  public init(_ reason: Reason, _ sentence: String) {
    self.reason = reason
    self.sentence = sentence
  }
}
