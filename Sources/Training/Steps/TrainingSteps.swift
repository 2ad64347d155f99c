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
}

/// What a step saw and how it went.
public struct StepReport: Sendable, Equatable {
  /// Where the gradient was taken, *before* the step; of the batch, where the gradients are of batches.
  public var loss: Double
  public var gradientNorm: Double
  /// Gradients that the step took, trials of a line search included.
  public var gradients = 1
  /// Products with a curvature matrix that the step took.
  public var products = 0
  /// Why no further step follows; nil to go on.
  public var ending: StepEnding?

  public init(loss: Double, gradientNorm: Double) {
    self.loss = loss
    self.gradientNorm = gradientNorm
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
