import Curvature
import LinearMaps
import Presentation
import Training

extension Prescription.Kind {
  public static let lbfgs = Self("lbfgs", effort: 3)
}

/// L-BFGS on all samples: by itself on a table, else from where a first-order optimizer has stalled.
///
/// With an exact search it would end on a quadratic in as many steps as there are distinct curvatures; with the
/// strong Wolfe search of use nothing foretells a count.
/// Reference: Nocedal and Wright, "Numerical Optimization" (2006), chapter 7.2.
struct SwitchToLBFGS: Remedy {
  let kind = Prescription.Kind.lbfgs

  private static let note = "no theory foretells its steps"

  func plan<Scalar: LinearMapScalar>(_ measured: Measurements<Scalar>) throws -> Plan<Scalar>? {
    let start = measured.start
    if start.problem.table != nil {
      let method = LBFGS()
      return Plan(
        kind, method.phrase, .init(), note: Self.note
      ) {
        [
          theory = TrialBench<Scalar>.Theory(
            modes: measured.exactLoss(measured.survey), isMonotone: true)
        ] bench in
        let limit = try bench.stepLimit(of: start.objective)
        var outcome = try bench.follow(
          method.start(start.objective, from: start.point), theory: theory, limit: limit)
        outcome.course = (try? CatalogueSetting<MethodCatalogue>(method.name)).map {
          TrainingCourse(.method($0))
        }
        return outcome
      }
    }
    guard let then = try? CatalogueSetting<MethodCatalogue>("lbfgs") else { return nil }
    let search = AdamSearch(
      start.objective, from: start.point, steps: start.budget.trialSteps(100, trials: 40),
      modes: nil, context: start.context, found: measured.adamRate)
    // The given optimizer, where more than plain descent was given and its rate is not known to be too large.
    let given: (any Optimizer, Double)? =
      start.optimizer.isPlainDescent || measured.facts.verdict == .unstable
      ? nil : start.request.training.rate.map { (start.optimizer, $0) }
    @Sendable func phrase(_ first: String) -> String {
      "\(first), and from where it stalls, halfway at the latest, \(then.make().phrase) on all samples"
    }
    return Plan(
      kind, phrase(given.map { "\($0.phrase) at \(Wording.number($1))" } ?? "Adam"),
      .init(rate: given?.1), note: Self.note
    ) { bench in
      let optimizer = given?.0 ?? Adam()
      var (rate, extra) = (given?.1 ?? 0, 0.0)
      if given == nil {
        let choice = try search.chosen(on: bench)
        (rate, extra) = (choice.rate, choice.operations)
      }
      let limit = try bench.stepLimit(of: start.objective)
      let steps = bench.batches?.steps ?? limit
      let switching = try CatalogueSetting<SwitchCatalogue>(
        SwitchCatalogue.standard, ["latest": Double(max(1, steps / 2))])
      let run = try HybridRun(
        HybridPlan(optimizer, then: then.make(), criterion: switching.make()), start.objective,
        rate: rate, from: start.point,
        gradients: bench.batches.map { .batches($0.batches) } ?? .allSamples)
      let share = bench.batches.map { Double($0.batches.size) / Double($0.samples) } ?? 1
      var outcome = try bench.follow(
        run, extraOperations: extra, firstShare: share, limit: limit)
      outcome.chosenRate = rate
      outcome.change = phrase("\(optimizer.phrase) at \(Wording.number(rate))")
      var course = TrainingCourse(
        optimizer, rate: rate, TrialForm(), start.objective.parameters)
      course?.then = then
      course?.switching = switching
      course?.batch = bench.batches?.batches.size
      course?.sampling = bench.batches?.batches.sampling
      course?.epochs = bench.batches?.passes
      outcome.course = course
      return outcome
    }
  }
}

extension TrialBench {
  /// Steps of plain descent on a loss that a trial may take.
  func stepLimit(of objective: any Loss<Scalar>) throws -> Int {
    try maxIterations
      ?? affordableSteps(
        operations: gradientOperations,
        equations: objective.objective?.gradientProgram(batch: 0).equations.count ?? 0)
  }
}
