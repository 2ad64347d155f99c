import Curvature
import LinearMaps
import TensorPrograms
import Training

/// A change to training that can be foretold from the measurements and run: one file each, and one line of
/// the catalogue.
protocol Remedy: Sendable {
  var kind: Prescription.Kind { get }

  /// What theory promises, and how it is run; nil where it does not apply here or is too dear.
  ///
  /// - Throws: what measuring its curvature throws.
  func plan<Scalar: LinearMapScalar>(_ measured: Measurements<Scalar>) throws -> Plan<Scalar>?
}

enum RemedyCatalogue {
  /// In the order in which they are planned; `RemedyTrials` tries them in that of their promise.
  static let all: [any Remedy] = [
    AsGiven(), SafeRate(), FastestRate(), StandardiseFeatures(), HeavyBall(), DiagonalScaling(),
    AdamAtTheBestRate(), AdamWWithSchedule(), DecayedRate(), RatesPerLayer(), SwitchToLBFGS(),
    CyclicalRate(), FollowTheSharpness(),
    StandardiseTarget(), StandardiseInputs(), StandardiseAndAdam(), StandardiseAllAndAdam(),
  ]
}

/// A prescription that can be run.
struct Plan<Scalar: LinearMapScalar> {
  var prescription: Prescription
  /// Whether it trains another function anew: that may pass the reference loss at once, and shows
  /// what it is worth only by running on.
  var isAfresh = false
  /// The change in words at another rate, where its own diverges.
  var slower: (@Sendable (_ rate: Double) -> String)?
  let run: (TrialBench<Scalar>) throws -> TrialBench<Scalar>.Outcome

  init(
    _ kind: Prescription.Kind, _ change: String, _ predicted: Prescription.Predicted,
    note: String? = nil, isAfresh: Bool = false,
    slower: (@Sendable (_ rate: Double) -> String)? = nil,
    run: @escaping (TrialBench<Scalar>) throws -> TrialBench<Scalar>.Outcome
  ) {
    prescription = Prescription(kind, change: change, predicted: predicted, note: note)
    self.isAfresh = isAfresh
    self.slower = slower
    self.run = run
  }
}

extension Measurements {
  /// A run of an optimizer from the point of diagnosis.
  func course(
    _ optimizer: any Optimizer, rate: Double
  ) -> (TrialBench<Scalar>) throws -> TrialBench<Scalar>.Outcome {
    let theory = self.theory(survey, rate: rate, by: optimizer)
    return { bench in
      try bench.run(start.objective, optimizer, rate: rate, from: start.point, theory: theory)
    }
  }

  /// What is known beforehand of a run.
  func theory(
    _ survey: CurvatureSurvey<Scalar>, rate: Double, by optimizer: any Optimizer
  ) -> TrialBench<Scalar>.Theory {
    let exact = exactLoss(survey)
    guard let rule = optimizer.stability, optimizer.hasForecast, start.problem.isQuadratic else {
      return .init(modes: exact, isStable: optimizer.hasBoundedSteps)
    }
    let isStable = rate * survey.upperBound < rule.criticalProduct
    return .init(
      modes: exact, isMonotone: isStable && optimizer.isPlainDescent, isStable: isStable)
  }
}
