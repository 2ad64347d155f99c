import Training

/// What training on mini-batches changes: the limit of the rate, the loss that a rate settles at, and what more
/// samples in a batch are worth.
public struct MiniBatches: Sendable, Equatable, Codable {
  /// What the floor is of, and the limits: those of a loss that is no quadratic are of the point of
  /// diagnosis.
  public enum Basis: String, Sendable, Codable, CaseIterable {
    /// Least squares, whose samples say all.
    case leastSquares = "least-squares"
    /// The quadratic that fits each sample's loss at the minimum.
    case bowlAtMinimum = "bowl-at-minimum"
    /// The same at the point of diagnosis.
    case bowlHere = "bowl-here"
    /// The spread of the samples' gradients at the point of diagnosis alone.
    case gradientNoise = "gradient-noise"
  }

  /// What keeps training at the given rate from going faster or lower.
  public enum Binding: String, Sendable, Codable, CaseIterable {
    /// The rate is near its limit, which the sharpest direction sets.
    case sharpness
    /// The rate is at the limit of small batches, or the loss is near its floor.
    case noise
    /// Flat directions want a rate that sharp ones forbid.
    case conditioning
    /// None of them: a larger rate was run, and ended lower.
    case rate
  }

  /// The mean loss gap that a rate settles at. With decoupled weight decay it is that of the loss with the decay
  /// as the penalty that it is along the way that steps are divided, above its minimum.
  public struct Floor: Sendable, Equatable, Codable {
    /// After a whole pass over the samples, and after half of its steps; the same where batches are drawn with
    /// replacement.
    public var end: Double
    public var middle: Double
    /// Standard errors of the averages over orders of the samples; 0 where exact, nil for an estimate.
    public var endError: Double?
    public var middleError: Double?
    /// `end` as a share of the loss gap at the point of diagnosis; nil where that is not known.
    public var relative: Double?
    /// Steps after which full-batch training at this rate has come down to the floor; nil where unknown.
    public var steps: Int?
  }

  /// A run at the given rate that began at the minimum.
  public struct FloorRun: Sendable, Equatable, Codable {
    public var steps: Int
    /// Mean loss gaps over the passes behind the first third, and their standard errors; nil where a loss was
    /// not finite.
    public var end: Double?
    public var endError: Double?
    public var middle: Double?
    public var middleError: Double?
    /// What was predicted for these passes: flat directions take long to come to their share of the floor.
    public var predictedEnd: Double?
    public var predictedMiddle: Double?
    /// Whether it left for good: a loss was not finite, or losses ended far above that at the point of diagnosis.
    public var ranAway: Bool
  }

  /// A run from the point of diagnosis in batches: the given training, or a change to it.
  public struct Trial: Sendable, Equatable, Codable {
    public enum Change: String, Sendable, Codable, CaseIterable {
      case asGiven = "as-given"
      /// Half of the limit of the batches, for plain descent as the safe rate is.
      case halfOfLimit = "half-of-limit"
      /// Four times the given rate, far below the limit still; of optimizers whose steps' length the rate bounds.
      case largerRate = "larger-rate"
      /// Four times as many samples in a batch, at the rate that goes with them.
      case largerBatch = "larger-batch"
      /// The given rate or half of the limit, whichever came lower, lowered step by step to zero.
      case decayedRate = "decayed-rate"
    }

    public var change: Change
    /// At the first step.
    public var rate: Double
    public var batch: Int
    /// Over all samples, the same for all trials, and the steps that they are.
    public var passes: Int
    public var steps: Int
    /// Orders of the batches that it was run with, each from the same point.
    public var seeds: Int?
    /// Mean loss gaps over the ends of the last tenth of the passes, the last alone where the rate comes down to 0,
    /// or losses where the loss at the minimum is
    /// not known; nil where nothing is foretold, and where it diverged.
    public var predicted: Double?
    public var measured: Double?
    /// Standard error over the orders; nil for a single one.
    public var error: Double?
    /// Whether a loss was not finite, or losses ended far above that at the point of diagnosis, in any order.
    public var diverged: Bool?
    /// What each order came to, the same orders for all trials: gaps as shares of the first, or losses; nil for a
    /// single one.
    public var orders: [Double]?
    /// `measured` as a share of the first gap, as prescriptions tell theirs; nil where it is a loss.
    public var relative: Double?
  }

  /// The floor of another rate or batch.
  public struct OtherFloor: Sendable, Equatable, Codable {
    public var rate: Double
    public var batch: Int
    /// After a whole pass.
    public var end: Double
  }

  /// The mean logarithm by which a step multiplies a large error, along a course of batches.
  public struct Growth: Sendable, Equatable, Codable {
    public var perStep: Double
    public var error: Double
  }

  /// The limit of another batch.
  public struct BatchLimit: Sendable, Equatable, Codable {
    public var batch: Int
    public var limit: Double
  }

  public var batch: Int
  public var sampling: Batches.Sampling
  /// Steps of a pass over all samples.
  public var stepsPerPass: Int
  /// Samples of the last batch of a pass, where they are fewer.
  public var lastBatch: Int?
  public var basis: Basis
  /// Samples that the numbers were made of.
  public var samplesUsed: Int
  /// The rate up to which the mean square of the error stays bounded with batches drawn independently of each
  /// other, each of different samples where they are shuffled; or over shuffled passes where that is less; nil where
  /// nothing is known. A batch of all samples has their limit.
  public var limit: Double?
  /// The same over shuffled passes, an average over drawn orders, or over all where they are few; nil for
  /// batches drawn independently.
  public var passLimit: Double?
  /// Standard error of `passLimit`; 0 where all orders were taken.
  public var passLimitError: Double?
  /// What `limit` would be without the smaller batch at the end of a pass; nil where that does not lower it.
  public var limitWithoutLast: Double?
  /// Where `limit` is not known: what it is not above, by the samples' curvatures along the sharpest direction
  /// at the point of diagnosis, for the quadratic there.
  public var limitAtMost: Double?
  /// The limit of all samples at once.
  public var limitOnAll: Double?
  /// The given rate.
  public var rate: Double?
  /// Nil without a rate, where it has none, or where nothing is known.
  public var floor: Floor?
  /// Nil where it was not run.
  public var run: FloorRun?
  /// The batch whose limit is half of that of all samples: beyond it more samples hardly raise the limit.
  public var halfLimitBatch: Double?
  /// `tr C / |g|^2` at the point of diagnosis: of such a batch noise and gradient are equal in size.
  public var noiseScale: Double?
  /// The batch of which noise and gradient are equal in size: `noiseScale`, or less where a batch holds no
  /// sample twice.
  public var noiseBatch: Double?
  /// The condition number of what the optimizer's steps see: of the Hessian, or of what a preconditioner makes
  /// of it; nil where it is not known.
  public var conditionNumber: Double?
  /// How large errors grow at the given rate; nil below the limit.
  public var growth: Growth?
  /// Floors of half of the rate and of twice the batch; nil where there is no floor.
  public var otherFloors: [OtherFloor]?
  /// Limits of other batches, the smallest first, without a smaller batch at a pass's end.
  public var limits: [BatchLimit]
  public var binds: Binding?
  /// The lowest first; empty where none was run.
  public var trials: [Trial]
  /// Passes that each remedy is run in the batches for, whether it was or not; nil where none can be run in them.
  public var remedyPasses: Int?
  /// Why something is missing.
  public var note: String?
}

extension MiniBatches {
  /// Whether trials are told by their losses, for want of a known minimum.
  package var isToldByLoss: Bool { basis == .gradientNoise || basis == .bowlHere }

  /// The same with its trials' gaps as shares of the first, as the remedies' are told; losses stay what they are.
  package var inShares: MiniBatches {
    // A run that came to nothing to rounding, or diverged, does not tell the first gap; the others have the same.
    let units = trials.lazy.compactMap { trial -> Double? in
      guard let share = trial.relative, share > 0, let measured = trial.measured else { return nil }
      let unit = measured / share
      return unit > 0 && unit.isFinite ? unit : nil
    }
    guard let unit = units.first else { return self }
    var result = self
    for index in trials.indices {
      result.trials[index].predicted = trials[index].predicted.map { $0 / unit }
      result.trials[index].measured = trials[index].measured.map { $0 / unit }
      result.trials[index].error = trials[index].error.map { $0 / unit }
    }
    return result
  }

  /// Whether a batch is all samples.
  package var isWhole: Bool { sampling == .shuffle && batch >= samplesInAll }

  private var samplesInAll: Int { (stepsPerPass - 1) * batch + (lastBatch ?? batch) }

  /// Samples, where batches are shuffled.
  var population: Int? { sampling == .shuffle ? samplesInAll : nil }

  /// The rate of the run from the minimum, whose second moments limit and floor go by where steps are divided; nil
  /// where there was none.
  package var runRate: Double? { run == nil ? nil : rate }

  /// Whether errors grow at the given rate in most runs, beyond doubt.
  package var growsInMostRuns: Bool { growth.map { $0.perStep > 3 * $0.error } ?? false }

  /// A trial of a kind.
  func trial(_ change: Trial.Change) -> Trial? { trials.first { $0.change == change } }

  /// Whether the given rate is at or above the limit of the batches.
  var isAboveLimit: Bool {
    guard let rate, let limit else { return false }
    return rate >= limit
  }

  /// The limit of the nearest larger batch beside its own, for the gain of doubling it.
  var doubled: BatchLimit? { limits.first { $0.batch == 2 * batch } }
}
