import LinearMaps

/// Losses and metrics over whole data sets at one point of a run.
public struct TrainingEvaluation: Sendable, Equatable, Codable {
  /// Steps taken before.
  public var step: Int
  /// Whole passes over the samples before.
  public var pass: Int
  /// Of all samples that are trained on, at this point.
  public var training: DataReading
  /// Of the samples that are held out; nil where there are none.
  public var heldOut: DataReading?
  /// The mean loss of the steps since the last evaluation, each before its step; nil before the first step.
  public var meanLossOfSteps: Double?

  public init(
    step: Int, pass: Int, training: DataReading, heldOut: DataReading? = nil,
    meanLossOfSteps: Double? = nil
  ) {
    self.step = step
    self.pass = pass
    self.training = training
    self.heldOut = heldOut
    self.meanLossOfSteps = meanLossOfSteps
  }
}

/// What a point makes of some samples.
public struct DataReading: Sendable, Equatable, Codable {
  /// Nil where it is not finite.
  public var loss: Double?
  /// The share of labels that the largest output names; nil where there are none.
  public var accuracy: Double?
  /// `1 - sum (y - t)^2 / sum (t - mean t)^2` over all outputs; nil for labels, and for a constant target.
  public var rSquared: Double?

  public init(loss: Double?, accuracy: Double? = nil, rSquared: Double? = nil) {
    self.loss = loss.flatMap { $0.isFinite ? $0 : nil }
    self.accuracy = accuracy
    self.rSquared = rSquared.flatMap { $0.isFinite ? $0 : nil }
  }
}

/// Looks at whole data sets while a run goes on.
public struct TrainingEvaluator<Scalar: LinearMapScalar> {
  /// Steps between two looks; beside them there is one at the start and one at the end.
  public var period: Int
  public var evaluate:
    (_ point: [Scalar]) throws -> (
      training: DataReading, heldOut: DataReading?
    )

  /// - Precondition: a period of 1 or more.
  public init(
    every period: Int,
    _ evaluate:
      @escaping (_ point: [Scalar]) throws -> (
        training: DataReading, heldOut: DataReading?
      )
  ) {
    precondition(period >= 1, "an evaluation every \(period) steps")
    self.period = period
    self.evaluate = evaluate
  }
}

/// Stops a run whose held-out loss no longer falls, and keeps the point where it was lowest.
public struct EarlyStopping<Scalar: LinearMapScalar>: Sendable, Equatable {
  /// Evaluations without a lower held-out loss after which the run is stopped.
  public let patience: Int
  /// The lowest held-out loss, and where it was.
  public internal(set) var best: Double?
  public internal(set) var bestStep = 0
  public internal(set) var bestParameters: [Scalar] = []
  /// Evaluations since.
  public internal(set) var stale = 0

  /// - Precondition: a patience of 1 or more.
  public init(patience: Int) {
    precondition(patience >= 1, "a patience of \(patience) evaluations")
    self.patience = patience
  }

  /// Takes note of an evaluation.
  ///
  /// - Returns: whether the run is to stop.
  mutating func observe(_ loss: Double?, step: Int, at point: [Scalar]) -> Bool {
    if let loss, best.map({ loss < $0 }) ?? true {
      (best, bestStep, bestParameters, stale) = (loss, step, point, 0)
      return false
    }
    stale += 1
    return stale >= patience
  }
}
