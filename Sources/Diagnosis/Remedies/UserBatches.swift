import Curvature
import LinearMaps
import Presentation
import Training

/// The mini-batches that the user trains in, and for how many passes each change is run in them.
struct BatchSetting: Sendable {
  var batches: Batches
  /// Samples that are trained on.
  var samples: Int
  /// Over all samples: every run sees as many.
  var passes: Int
  /// Orders of the batches that every change is run with, each from the same point.
  var orders = 1

  /// The batches in one of the orders, the first as a training draws them.
  func batches(order: Int) -> Batches {
    var result = batches
    // Far apart, so that a run with the next seed shares none of them.
    result.seed = batches.seed ^ (UInt64(order) &* 0x9E37_79B9_7F4A_7C15)
    return result
  }

  var perPass: Int { batches.stepsPerPass(samples) }
  var steps: Int { passes * perPass }
  /// Passes at the end whose mean a run is judged by.
  var window: Int { min(passes, max(3, passes / 10)) }
  /// Of the steps, the work in gradients over all samples.
  var work: Double { Double(steps) * Double(batches.size) / Double(samples) }
}

/// What is known of the user's mini-batches before a change is run in them: which rates they allow, and at which
/// mean gap a rate ends.
///
/// A class, since limits are worked out once.
final class UserBatches<Scalar: LinearMapScalar> {
  let setting: BatchSetting
  /// What was found of the given optimizer.
  let study: MiniBatches?
  private let start: StartedProblem<Scalar>
  private let survey: CurvatureSurvey<Scalar>
  /// Of a quadratic.
  let initialGap: Double?
  private lazy var samples: LeastSquaresSamples? = table.flatMap(Self.samples)
  private var limits: [MomentumForm: Double?] = [:]

  /// Rows times squared directions up to which a limit is worked out beside that of the given optimizer.
  private static var mostWork: Double { 1e6 }

  /// Nil where training is on all samples at each step, or where batches cannot be drawn.
  init?(_ measured: Measurements<Scalar>, _ study: MiniBatches?) throws {
    let start = measured.start
    guard let size = start.request.training.batch, let objective = start.objective.objective,
      !objective.definition.couplesSamples, objective.definition.fixedBatch == nil
    else { return nil }
    let n = start.problem.sampleCount
    let sampling = start.request.training.sampling ?? .shuffle
    // A shuffled batch of all samples is no batch.
    guard size < n || size == n && sampling == .replacement else { return nil }
    let batches = Batches(
      size: size, seed: start.request.resources.probeSeed, sampling: sampling)
    let program = try objective.gradientProgram(samples: size)
    let price = program.operationCount + 3e4 * Double(program.equations.count)
    let perPass = batches.stepsPerPass(n)
    let affordable = min(
      10_000, max(300, 5e9 * min(1, start.request.resources.effort) / price))
    func most(_ orders: Int) -> Int {
      start.budget.trialSteps(1000, trials: orders * (RemedyCatalogue.all.count + 4))
    }
    let wanted =
      start.request.trials.maxIterations.map { max(1, $0 / perPass) }
      ?? max(5, min(100, Int(affordable) / perPass))
    // Two where more would shorten the runs, or take several times what one may.
    let orders = [5, 3].first {
      Double($0 * wanted * perPass) <= 1.5 * affordable && most($0) >= wanted
    }
    setting = BatchSetting(
      batches: batches, samples: n,
      passes: start.request.trials.maxIterations == nil ? min(wanted, most(orders ?? 2)) : wanted,
      orders: orders ?? 2)
    self.study = study
    self.start = start
    survey = measured.survey
    initialGap = measured.exactLoss(measured.survey)?.initialGap
  }

  private var table: (TabularProblem, [Double])? {
    start.problem.table.map { ($0, start.point.map { Double($0) }) }
  }

  private static func samples(_ table: TabularProblem, at point: [Double]) -> LeastSquaresSamples? {
    let work =
      Double(table.sampleCount * table.outputCount) * Double(point.count) * Double(point.count)
    guard point.count <= 60, work <= mostWork else { return nil }
    return try? table.sampleRows(at: point)?.samples()
  }

  /// The rate up to which the mean square of an optimizer's error stays bounded in these batches; nil where that
  /// is not known.
  func limit(_ optimizer: any Optimizer) -> Double? {
    if isOwn(optimizer) { return study?.limit }
    guard let form = HeavyBallForm(optimizer), !form.isPreconditioned else { return nil }
    if let known = limits[form.form] { return known.map { $0 / form.share } }
    let value = samples.flatMap { limit($0, form.form) }
    limits[form.form] = .some(value)
    return value.map { $0 / form.share }
  }

  /// The same of plain descent on other columns of the same samples.
  func limit(of table: TabularProblem, at point: [Scalar]) -> Double? {
    Self.samples(table, at: point.map { Double($0) }).flatMap { limit($0, .plain) }
  }

  private func limit(_ samples: LeastSquaresSamples, _ form: MomentumForm) -> Double? {
    try? noise(samples, form).limit(tolerance: 1e-6)
  }

  private func noise(_ samples: LeastSquaresSamples, _ form: MomentumForm) -> BatchNoise {
    BatchNoise(
      samples, batch: setting.batches.size,
      draw: setting.batches.sampling == .shuffle ? .subsets : .replacement, form: form,
      population: setting.samples)
  }

  private func isOwn(_ optimizer: any Optimizer) -> Bool {
    optimizer.name == start.optimizer.name
      && optimizer.hyperparameters == start.optimizer.hyperparameters
  }

  /// By how much less a rate of plain descent may be than on all samples; 1 where that is not known.
  var share: Double {
    guard let own = limit(GradientDescent()) else { return 1 }
    return min(1, own * survey.upperBound / 2)
  }

  /// The mean gap over the last passes of a run, as a share of the first, of a quadratic: what is left of the way
  /// on all samples, and the noise that has built up. Nil where it is not known.
  func meanGap(
    _ optimizer: any Optimizer, rate: Double, in other: BatchSetting? = nil
  ) -> Double? {
    let setting = other ?? setting
    let limit =
      setting.batches.size == self.setting.batches.size
      ? self.limit(optimizer)
      : study?.limits.first { $0.batch == setting.batches.size }?.limit
    guard start.problem.isQuadratic, let initialGap, initialGap > 0, let samples,
      samples.count == setting.samples, let form = HeavyBallForm(optimizer), !form.isPreconditioned,
      let limit, rate < limit,
      let way = survey.model.forecast(rate: rate, by: optimizer)
    else { return nil }
    let last = setting.passes - setting.window..<setting.passes
    let own = rate * form.share
    let left =
      last.reduce(0.0) { $0 + way.gap(after: ($1 + 1) * setting.perPass) } / Double(last.count)
    let noise: Double?
    switch setting.batches.sampling {
    case .replacement:
      let noises = BatchNoise(samples, batch: setting.batches.size, form: form.form)
      noise = (try? noises.stationary(rate: own)).flatMap {
        MiniBatchStudy<Scalar>.course(
          $0, samples, rate: own, momentum: form.form.momentum,
          steps: last.lowerBound * setting.perPass..<last.upperBound * setting.perPass)
      }
    case .shuffle:
      noise =
        ReshuffledNoise(
          samples, batch: setting.batches.size, form: form.form, seed: setting.batches.seed
        )?.passes(rate: own, precision: 0.05, work: 1e8)?.course(over: last).end
    }
    guard let noise else { return nil }
    let gap = (left + noise) / initialGap
    return gap.isFinite ? gap : nil
  }
}

extension Measurements {
  /// The rate, or what the user's batches allow where that is less: so many times their limit.
  ///
  /// - Returns: also whether it was bounded so.
  func bounded(
    _ rate: Double, by optimizer: any Optimizer, share: Double
  ) -> (rate: Double, isBounded: Bool) {
    guard let limit = userBatches?.limit(optimizer), share * limit < rate else {
      return (rate, false)
    }
    return (share * limit, true)
  }

  /// ` of the limit of batches of 32 samples`.
  var ofBatchLimit: String {
    "of the limit of batches of \(Wording.count(userBatches?.setting.batches.size ?? 0, "sample"))"
  }

  /// What is foretold of a run of an optimizer: in the user's batches the mean gap at its end, else the steps.
  func foretold(
    conditionNumber: Double?, rate: Double, _ optimizer: any Optimizer, momentum: Double? = nil,
    peak: Double? = nil, iterations: () throws -> Int?
  ) rethrows -> Prescription.Predicted {
    guard let userBatches else {
      return .init(
        conditionNumber: conditionNumber, rate: rate, iterations: try iterations(),
        momentum: momentum, peakRelativeGap: peak)
    }
    return .init(
      conditionNumber: conditionNumber, rate: rate, momentum: momentum,
      meanGap: userBatches.meanGap(optimizer, rate: rate))
  }
}
