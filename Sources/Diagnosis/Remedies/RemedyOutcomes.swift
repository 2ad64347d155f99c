import Curvature
import LinearMaps
import TensorPrograms
import Training

/// Prescriptions with what was predicted and measured, and how they were measured.
struct RemedyOutcomes {
  var prescriptions: [Prescription] = []
  /// By prescription, the parameters where its run arrived, in the variables that it trained.
  var arrivalPoints: [String: [Double]] = [:]
  var reference: Reference?
  var hasFiniteMinimum = true
  var interrupted: (done: Int, planned: Int)?
  /// In mini-batches: the given training and changes to its rate and batch, the lowest first.
  var batchTrials: [MiniBatches.Trial] = []
}

/// The loss that trials are judged by.
struct Reference {
  var loss: Double
  /// Where it comes from, in words.
  var source: String
  /// Whether it is a minimum or an infimum for certain, so that gaps to it mean something; else it is
  /// the lowest loss that was seen.
  var isCertified: Bool

  static func lowestSeen(_ loss: Double) -> Reference {
    Reference(loss: loss, source: "the lowest loss seen", isCertified: false)
  }
}

extension Measurements {
  /// What theory promises of each remedy, and what running it gave.
  ///
  /// - Throws: what the executor throws; an interruption ends the trials, with what was measured by then.
  func remedies() throws -> RemedyOutcomes {
    var trials = RemedyTrials(self)
    guard survey.largest > survey.zeroThreshold else { return trials.outcomes }
    do {
      try trials.run()
    } catch is CancellationError {
      // What was measured before the interruption is in the result already.
      trials.outcomes.interrupted =
        trials.outcomes.interrupted ?? (0, trials.outcomes.prescriptions.count)
    }
    return trials.outcomes
  }
}

/// The remedies' runs, and Newton's method that finds the loss they are judged by.
struct RemedyTrials<Scalar: LinearMapScalar> {
  typealias Outcome = TrialBench<Scalar>.Outcome

  let measured: Measurements<Scalar>
  var outcomes = RemedyOutcomes()

  init(_ measured: Measurements<Scalar>) { self.measured = measured }

  var start: StartedProblem<Scalar> { measured.start }
  var survey: CurvatureSurvey<Scalar> { measured.survey }
  private var problem: DiagnosisProblem { start.problem }
  var options: TrialOptions { start.request.trials }

  mutating func run() throws {
    var plans: [Plan<Scalar>] = []
    // One by one: what was foretold before an interruption is kept.
    for remedy in RemedyCatalogue.all {
      guard let plan = try remedy.plan(measured) else { continue }
      plans.append(plan)
      outcomes.prescriptions.append(plan.prescription)
    }
    if options.areRun {
      plans = promisingFirst(plans)
      outcomes.prescriptions = plans.map(\.prescription)
    }
    let newton = NewtonRemedy.prescription(measured, beside: plans.map(\.prescription))
    outcomes.prescriptions.append(newton)
    outcomes.hasFiniteMinimum = !measured.finiteMinimum.isAbsent
    guard options.areRun else { return }
    if let batches = measured.userBatches {
      try run(plans, newton, in: batches.setting)
      return
    }
    guard start.budget.affords("Newton's method", products: 300, share: 0.2) else {
      outcomes.prescriptions.removeLast()
      try runShortly(plans)
      return
    }
    let gradientOperations = try start.objective.gradientOperations()
    let search = try NewtonRemedy.run(
      measured, trial: try bench(nil, gradientOperations).operations(of: start.objective))
    guard search.ending != .cancelled else {
      outcomes.interrupted = (0, outcomes.prescriptions.count)
      return
    }
    outcomes.hasFiniteMinimum = hasFiniteMinimum(search)
    let reference = try measured.certifiedMinimum(search)
    if let reference, outcomes.hasFiniteMinimum, isAtStart(reference) {
      outcomes.reference = Reference(
        loss: reference.loss, source: "the start itself, which is the minimum", isCertified: true)
      return
    }
    try judge(plans, newton, search, by: reference)
  }

  /// Least squares and penalised losses have a minimum, however long the way to it.
  func hasFiniteMinimum(_ search: NewtonCG<Scalar>) -> Bool {
    switch measured.finiteMinimum {
    case .exists: true
    case .none: false
    case .unknown: search.ending != .noFiniteMinimum || problem.isQuadratic || problem.l2 > 0
    }
  }

  func isAtStart(_ reference: Reference) -> Bool {
    let gap = measured.exactLoss(survey)?.initialGap ?? start.loss - reference.loss
    return gap <= 4 * Double(Scalar.ulpOfOne) * abs(start.loss)
  }

  func bench(_ reference: Double?, _ gradientOperations: Double) -> TrialBench<Scalar> {
    TrialBench(
      startLoss: start.loss, referenceLoss: reference, tolerance: options.tolerance,
      maxIterations: options.maxIterations, gradientOperations: gradientOperations,
      // Small convolutions and attention reach a fraction of the rate of a table's products.
      allowance: problem.table == nil ? 2e10 : 1.5e11,
      thoroughness: start.budget.thoroughness, context: start.context)
  }

  /// Whether runs stop that can no longer win; those of a number of steps that was asked for do not.
  private var cutsRuns: Bool { start.budget.cutsTrials && options.maxIterations == nil }

  /// In the order of their promise, so that later runs can be cut by what earlier ones came to; what is told
  /// for comparison comes last.
  ///
  /// On a quadratic the predicted steps say it. Elsewhere they are of the bowl at the start, and the more that
  /// a change takes to set up, the more it gets done, as a rule; what needs products by the Hessian comes
  /// after those.
  private func promisingFirst(_ plans: [Plan<Scalar>]) -> [Plan<Scalar>] {
    func place(_ plan: Plan<Scalar>) -> (group: Int, value: Int) {
      let kind = Prescription.Kind(rawValue: plan.prescription.id)
      if kind == .asGiven { return (2, 0) }
      if kind == .safeRate { return (1, 0) }
      if problem.isQuadratic { return (0, plan.prescription.predicted.iterations ?? .max) }
      return (0, -(kind?.effort ?? 1))
    }
    return plans.enumerated()
      .map { (place: place($0.element), offset: $0.offset, plan: $0.element) }
      .sorted {
        ($0.place.group, $0.place.value, $0.offset) < ($1.place.group, $1.place.value, $1.offset)
      }
      .map(\.plan)
  }

  /// Runs all plans against the reference, and puts everything in its light.
  private mutating func judge(
    _ plans: [Plan<Scalar>], _ newton: Prescription, _ search: NewtonCG<Scalar>,
    by certified: Reference?
  ) throws {
    var reference = certified
    let gradientOperations = try start.objective.gradientOperations()
    let unbounded = bench(nil, gradientOperations)
    let bounded = bench(certified?.loss, gradientOperations)
    var runs = try run(plans, after: 1) { $0.isAfresh ? unbounded : bounded }
    let newtonLoss = search.path.map(\.loss).filter(\.isFinite).min() ?? start.loss
    func lowest(_ runs: [Outcome]) -> Double {
      min(newtonLoss, runs.compactMap(\.lowestLoss).min() ?? newtonLoss)
    }
    if let known = reference, measured.exactLoss(survey) == nil,
      lowest(runs) < known.loss - options.tolerance * (start.loss - known.loss)
    {
      // A minimum of its neighbourhood alone: what was stopped at it has to run on.
      reference = nil
      try goOn(plans, &runs, unbounded)
    }
    let judge = bench(reference?.loss, gradientOperations)
    let work = reference == nil ? Self.sharedWork(runs) ?? search.path.last?.operations : nil
    outcomes.reference = reference ?? .lowestSeen(lowest(runs))
    for index in runs.indices where plans[index].isAfresh || reference == nil {
      runs[index] = judge.judged(runs[index])
    }
    record(runs, of: plans, by: judge, comparedAt: work)
    outcomes.prescriptions[outcomes.prescriptions.count - 1] = newton.with(
      measured: judge.measured(
        search.path,
        extraOperations: survey.diagonal == nil ? 0 : try measured.diagonalOperations(),
        comparedAt: work))
  }

  /// Runs further what had arrived at a reference that is none.
  private mutating func goOn(
    _ plans: [Plan<Scalar>], _ runs: inout [Outcome], _ bench: TrialBench<Scalar>
  ) throws {
    for (index, outcome) in runs.enumerated()
    where outcome.arrival != nil && !start.context.isCancelled() {
      start.context.report("trial, further: \(plans[index].prescription.id)")
      var unjudged = Contest()
      for other in runs.indices where other != index {
        unjudged.note(runs[other], of: plans[other])
      }
      unjudged.arrival = nil
      let further = try plans[index].run(
        unjudged.bench(bench, for: plans[index], cuts: cutsRuns, problem))
      if !further.wasCancelled { runs[index] = further }
    }
    if start.context.isCancelled() {
      outcomes.interrupted =
        outcomes.interrupted ?? (runs.count + 1, outcomes.prescriptions.count)
    }
  }

  /// Runs plans in order until one is interrupted.
  ///
  /// - Parameter done: how many of the prescriptions have been run already.
  mutating func run(
    _ plans: [Plan<Scalar>], after done: Int, cuts: Bool = true,
    on bench: (Plan<Scalar>) -> TrialBench<Scalar>
  ) throws -> [Outcome] {
    var runs: [Outcome] = []
    var contest = Contest()
    let planned = outcomes.prescriptions.count
    for (index, plan) in plans.enumerated() {
      start.context.report(
        "trial: \(plan.prescription.id)", fraction: Double(index) / Double(planned))
      let outcome: Outcome
      do {
        outcome = try plan.run(
          contest.bench(bench(plan), for: plan, cuts: cuts && cutsRuns, problem))
      } catch is CancellationError {
        outcomes.interrupted = (done + index, planned)
        break
      }
      runs.append(outcome)
      contest.note(outcome, of: plan)
      if outcome.wasCancelled || start.context.isCancelled() {
        outcomes.interrupted = (done + index + (outcome.wasCancelled ? 0 : 1), planned)
        break
      }
    }
    return runs
  }

  /// Trials of a few steps each, for a model whose minimum is too dear to look for.
  private mutating func runShortly(_ plans: [Plan<Scalar>]) throws {
    let gradientOperations = try start.objective.gradientOperations()
    let bench = bench(nil, gradientOperations).short(
      // Adam tries four rates first.
      options.maxIterations ?? start.budget.trialSteps(1000, trials: plans.count + 4))
    let runs = try run(plans, after: 0) { _ in bench }
    guard let best = runs.compactMap(\.lowestLoss).min() else { return }
    outcomes.reference = .lowestSeen(best)
    record(runs, of: plans, by: bench, comparedAt: Self.sharedWork(runs))
  }

  /// Puts what the runs came to beside their predictions; of one that was cut short nothing is said.
  private mutating func record(
    _ runs: [Outcome], of plans: [Plan<Scalar>], by judge: TrialBench<Scalar>,
    comparedAt work: Double?
  ) {
    for (index, outcome) in runs.enumerated() where !outcome.wasCancelled {
      outcomes.arrivalPoints[plans[index].prescription.id] = outcome.arrivalPoint
      outcomes.prescriptions[index] = plans[index].prescription(
        after: outcome, judge.measured(outcome, comparedAt: work))
    }
  }

  /// The work that every run had that went on to its end; a method that ended by itself stays where it is.
  private static func sharedWork(_ runs: [Outcome]) -> Double? {
    let whole = runs.filter { !$0.isDiverged && !$0.wasCancelled && !$0.wasCut }
    let others = whole.filter { $0.workPath == nil }
    return (others.isEmpty ? whole : others)
      .map { $0.operations(after: $0.losses.count - 1) }.min()
  }
}
