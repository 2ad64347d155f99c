import Curvature
import Foundation
import Labs
import LinearMaps
import OnnxBackend
import TensorPrograms
import Testing
import Training

/// A first-order optimizer, then a method on all samples, on the bar of solid mechanics.
@Suite struct HybridRunTests {
  static let bar = PINNProblem.bar

  static func median(_ values: [Double]) -> Double { values.sorted()[values.count / 2] }

  /// Steps until so many gradients are spent.
  @discardableResult
  static func run<Scalar>(
    _ steps: any TrainingSteps<Scalar>, gradients: Int, notes: inout [StepNote]
  ) throws -> StepEnding? {
    var spent = 0
    while spent < gradients {
      let report = try steps.step()
      spent += report.gradients
      notes += report.notes
      if let ending = report.ending { return ending }
    }
    return nil
  }

  @Test func `the change takes the bar a hundred times below Adam alone`() throws {
    let executor = try OnnxExecutor()
    let loss: Objective<Double> = try Self.bar.objective(executor)
    let solution = try PINNSolution(Self.bar, executor)
    let budget = 3000
    var (ratios, errors): ([Double], [Double]) = ([], [])
    var changes = 0
    for seed in 1...5 as ClosedRange<UInt64> {
      let start: [Double] = Self.bar.start(seed: seed)
      let alone = try TrainingRun(loss, Adam(), rate: 1e-2, from: start)
      for _ in 0..<budget { try alone.step() }
      let plan = HybridPlan(Adam(), then: LBFGS(tolerance: 0))
      let hybrid = try HybridRun(plan, loss, rate: 1e-2, from: start)
      var notes: [StepNote] = []
      try Self.run(hybrid, gradients: budget, notes: &notes)
      if let change = notes.first(where: { $0.kind == .change }) {
        changes += 1
        #expect(change.step >= 250 && change.step < budget && change.step % 50 == 0)
        #expect(notes.filter { $0.kind == .check }.count == change.step / 50 + 1)
        let before = try #require(notes.last { $0.kind == .check })
        #expect(before.values["stalled"] == 5, "\(before.sentence)")
      } else {
        #expect(!hybrid.hasChanged)
      }
      ratios.append(
        try loss.value(at: hybrid.parameters) / loss.value(at: alone.parameters))
      errors.append(try solution.relativeError(hybrid.parameters))
    }
    // A loss that keeps falling keeps its optimizer.
    #expect(changes >= 3)
    #expect(Self.median(ratios) <= 1e-2, "\(ratios)")
    #expect(Self.median(errors) <= 1e-4, "\(errors)")
  }

  /// What users report: thousands of steps of Adam, then L-BFGS in float32, which stops at once.
  @Test func `L-BFGS that float32 ends goes on in float64`() throws {
    let executor = try OnnxExecutor()
    let loss: Objective<Float> = try Self.bar.objective(executor)
    let exact: Objective<Double> = try Self.bar.objective(executor)
    var criterion = SwitchCriterion()
    criterion.patience = 1_000_000
    criterion.latest = 5000
    var (single, double): ([Double], [Double]) = ([], [])
    for seed in 1...3 as ClosedRange<UInt64> {
      var plan = HybridPlan(Adam(), then: LBFGS(tolerance: 0), criterion: criterion)
      plan.usesDouble = false
      let start: [Float] = Self.bar.start(seed: seed)
      let stuck = try HybridRun(plan, loss, rate: 1e-3, from: start)
      for _ in 0..<5000 { try stuck.step() }
      let state = stuck.trainingState
      let adam = try exact.value(at: stuck.parameters.map { Double($0) })
      var notes: [StepNote] = []
      let ending = try Self.run(stuck, gradients: 3000, notes: &notes)
      #expect(ending?.reason == .rounding || ending?.reason == .stalled, "\(seed)")
      #expect(ending?.sentence.contains("float32") == true)
      let steps = stuck.stepCount - 5000
      single.append(try exact.value(at: stuck.parameters.map { Double($0) }) / adam)
      // The same once more, with float64 to go on in.
      plan.usesDouble = true
      var again = state
      again.hyperparameters = plan.hyperparameters
      let hybrid = try HybridRun(resuming: again, plan, of: loss)
      notes = []
      try Self.run(hybrid, gradients: 3000, notes: &notes)
      let note = try #require(notes.first { $0.kind == .precision })
      #expect(note.step == 5000 + steps, "\(seed)")
      #expect(note.sentence.contains("finds no lower loss in float32"), "\(note.sentence)")
      let noise = try #require(note.values["lossNoise"])
      let unit = Double(Float.ulpOfOne) * (note.values["loss"] ?? 0)
      #expect(noise > 10 * unit && noise < 1e-3 * (note.values["loss"] ?? 0))
      #expect(try #require(note.values["gradientError"]) > 1e-4)
      let reached = try #require(hybrid.doubleParameters)
      double.append(try exact.value(at: reached) / adam)
    }
    #expect(Self.median(double) < 0.1 && Self.median(double) < 0.2 * Self.median(single))
  }

  /// Each phase is left and taken up again by way of JSON.
  @Test(arguments: [30, 230, 420])
  func `a run resumes bit for bit`(stop: Int) throws {
    let executor = try OnnxExecutor()
    let loss: Objective<Float> = try Self.bar.objective(executor)
    var criterion = SwitchCriterion()
    criterion.patience = 1_000_000
    criterion.latest = 200
    let plan = HybridPlan(Adam(), then: Interrupted(after: 150), criterion: criterion)
    func fresh() throws -> HybridRun<Float> {
      try HybridRun(plan, loss, rate: 1e-2, from: Self.bar.start(seed: 2))
    }
    let whole = try fresh()
    for _ in 0..<500 { try whole.step() }
    #expect(whole.doubleParameters != nil)
    let part = try fresh()
    for _ in 0..<stop { try part.step() }
    let stored = try JSONEncoder().encode(part.trainingState)
    let state = try JSONDecoder().decode(TrainingState<Float>.self, from: stored)
    let resumed = try HybridRun(resuming: state, plan, of: loss)
    #expect(resumed.stepCount == stop)
    for _ in stop..<500 { try resumed.step() }
    #expect(resumed.trainingState == whole.trainingState)
    #expect(resumed.doubleParameters == whole.doubleParameters)
  }

  @Test func `a state of another plan or a damaged one is refused`() throws {
    let loss: Objective<Double> = try Self.bar.objective(ReferenceExecutor())
    let plan = HybridPlan(Adam(), then: LBFGS())
    let run = try HybridRun(plan, loss, rate: 1e-3, from: Self.bar.start(seed: 1))
    var state = run.trainingState
    #expect(state.optimizer == "adam, then lbfgs" && state.hyperparameters["first.beta1"] == 0.9)
    #expect(throws: TrainingError.self) {
      try HybridRun(
        resuming: state, HybridPlan(Adam(beta1: 0.8), then: LBFGS()), of: loss)
    }
    state.numbers.removeLast()
    #expect(throws: TrainingError.self) { try HybridRun(resuming: state, plan, of: loss) }
    state = run.trainingState
    state.numbers[0] = 1
    #expect(throws: TrainingError.self) { try HybridRun(resuming: state, plan, of: loss) }
  }

  @Test func `a step that is not finite begins anew at the best point`() throws {
    let executor = try OnnxExecutor()
    let loss: Objective<Double> = try Self.bar.objective(executor)
    var criterion = SwitchCriterion()
    criterion.latest = 50
    let plan = HybridPlan(
      Adam(), then: Interrupted(after: 20, reason: .nonFinite), criterion: criterion)
    let run = try HybridRun(plan, loss, rate: 1e-2, from: Self.bar.start(seed: 1))
    var (notes, losses): ([StepNote], [Double]) = ([], [])
    var ending: StepEnding?
    while ending == nil {
      let report = try run.step()
      if run.stepCount > 50 { losses.append(report.loss) }
      notes += report.notes
      ending = report.ending
    }
    let resets = notes.filter { $0.kind == .reset }
    #expect(resets.count == 3 && resets.map { $0.values["resets"] } == [1, 2, 3])
    #expect(resets.allSatisfy { $0.sentence.contains("begins anew from the best point") })
    for (index, reset) in resets.enumerated() {
      // The first loss after a reset is the lowest before it.
      let end = 21 * (index + 1)
      #expect(losses[..<end].min() == reset.values["loss"] && losses[end] == reset.values["loss"])
    }
    #expect(ending?.reason == .nonFinite)
  }

  @Test func `a plan's numbers are those of its parts`() throws {
    let setting = try CatalogueSetting<SwitchCatalogue>("stalled", ["latest": 450, "groups": 5])
    let plan = HybridPlan(Adam(), then: LBFGS(pairs: 5), criterion: setting.make())
    #expect(plan.name == "adam, then lbfgs" && plan.criterion.latest == 450)
    #expect(
      plan.hyperparameters["then.pairs"] == 5 && plan.hyperparameters["switch.groups"] == 5)
    #expect(plan.phrase == "Adam, then L-BFGS with 5 pairs")
    #expect(SwitchCriterion() == CatalogueSetting<SwitchCatalogue>().make())
  }

  /// Gradient descent that diverges: the method begins where the loss was lowest, at the start.
  @Test func `the start is a point to go back to`() throws {
    // x^2 / 2 at rate 3: each step doubles the distance.
    let loss = ClosureLoss<Double>(
      LossClosures(
        parameters: [.init("x", [1])], value: { $0[0] * $0[0] / 2 },
        valueAndGradient: { ($0[0] * $0[0] / 2, $0) }, hessianProduct: { $1 }))
    var criterion = SwitchCriterion()
    (criterion.period, criterion.patience) = (2, 2)
    let start = [1.0]
    let run = try HybridRun(
      HybridPlan(GradientDescent(), then: LBFGS(), criterion: criterion), loss, rate: 3,
      from: start)
    var notes: [StepNote] = []
    for _ in 0..<5 { notes += try run.step().notes }
    let change = try #require(notes.first { $0.kind == .change })
    #expect(change.step == 4 && run.hasChanged)
    #expect(
      change.sentence.contains("from the start, the best point of the checks, with a loss of"))
    #expect(change.values["loss"] == (try loss.value(at: start)))
    let check = try #require(notes.last { $0.kind == .check })
    #expect(check.sentence.contains("the loss has risen from 0.5 in 4 steps"), "\(check.sentence)")
    #expect(run.parameters == [0])
  }

  /// What the optimizer's steps had beside the loss is told where it ends.
  @Test func `rules that end are named`() throws {
    let loss: Objective<Double> = try Self.bar.objective(ReferenceExecutor())
    var criterion = SwitchCriterion()
    criterion.latest = 1
    let start: [Double] = Self.bar.start(seed: 1)
    func change(_ optimizer: any Optimizer, _ rules: StepRules) throws -> String {
      let run = try HybridRun(
        HybridPlan(optimizer, then: LBFGS(), criterion: criterion), loss, rate: 1e-3, from: start,
        rules: rules)
      let notes = try (0..<2).flatMap { _ in try run.step().notes }
      return try #require(notes.first { $0.kind == .change }).sentence
    }
    #expect(!(try change(Adam(), StepRules()).contains("From here on without")))
    var rules = StepRules()
    rules.clipNorm = 1
    #expect(
      try change(Adam(), rules).hasSuffix(
        "From here on without the clipping of gradients, which is part of the optimizer's steps: what is lowered "
          + "now is the loss alone."))
    rules.weightDecay = 0.5
    rules.rateFactors = loss.parameters.map { _ in .scalar(0.5) }
    #expect(
      try change(AdamW(), rules).contains(
        "without the weight decay of 0.5, the clipping of gradients and the factors of the rate, which are part"
      ))
    #expect(
      try change(AdamW(), StepRules()).contains(
        "without the weight decay of 0.01, which is part of the optimizer's steps: what is lowered now is the "
          + "loss alone, whose minimum is another point"))
    // Parameters that are held still would be moved.
    rules.rateFactors![0] = .scalar(0)
    let error = #expect(throws: HybridError.self) { try change(AdamW(), rules) }
    #expect(error?.description.contains("lbfgs would move them") == true)
  }

  @Test func `mini-batches are judged by their noise`() throws {
    let executor = try OnnxExecutor()
    let loss: Objective<Double> = try Self.bar.objective(executor)
    var criterion = SwitchCriterion()
    criterion.groups = 8
    criterion.latest = 400
    let run = try HybridRun(
      HybridPlan(Adam(), then: LBFGS(), criterion: criterion), loss, rate: 1e-3,
      from: Self.bar.start(seed: 1), gradients: .batches(Batches(size: 4, seed: 5)))
    var notes: [StepNote] = []
    for _ in 0..<410 { notes += try run.step().notes }
    let checks = notes.filter { $0.kind == .check }
    #expect(checks.count == 9 && checks.allSatisfy { $0.values["ratio"] != nil })
    #expect(checks.last?.sentence.contains("changed all the same") == true)
    #expect(notes.contains { $0.kind == .change })
    // After some steps all points pull the same way; later they contradict each other.
    let (first, last) = (checks[1].values["ratio"], checks.last?.values["ratio"])
    #expect((first ?? 0) > (last ?? 0))
    let copy = try JSONDecoder().decode([StepNote].self, from: JSONEncoder().encode(notes))
    #expect(copy == notes)
  }
}

/// L-BFGS that says after so many steps of its own that it cannot go on.
struct Interrupted: IterativeMethod {
  let after: Int
  var reason = StepEnding.Reason.rounding
  let name = "interrupted"
  let phrase = "interrupted L-BFGS"
  var hyperparameters: [String: Double] { ["after": Double(after)] }

  init(after: Int, reason: StepEnding.Reason = .rounding) {
    self.after = after
    self.reason = reason
  }

  func start<Scalar: LinearMapScalar>(
    _ loss: any Loss<Scalar>, from start: [Scalar]
  ) throws -> any TrainingSteps<Scalar> {
    InterruptedRun(self, try LBFGS(tolerance: 0).start(loss, from: start))
  }

  func resume<Scalar: LinearMapScalar>(
    _ state: TrainingState<Scalar>, of loss: any Loss<Scalar>
  ) throws -> any TrainingSteps<Scalar> {
    var inner = state
    inner.optimizer = "lbfgs"
    inner.hyperparameters = LBFGS(tolerance: 0).hyperparameters
    return InterruptedRun(self, try LBFGS(tolerance: 0).resume(inner, of: loss))
  }
}

private final class InterruptedRun<Scalar: LinearMapScalar>: TrainingSteps {
  let method: Interrupted
  let inner: any TrainingSteps<Scalar>

  init(_ method: Interrupted, _ inner: any TrainingSteps<Scalar>) {
    self.method = method
    self.inner = inner
  }

  var loss: any Loss<Scalar> { inner.loss }
  var parameters: [Scalar] { inner.parameters }
  var stepCount: Int { inner.stepCount }
  var rate: Double {
    get { inner.rate }
    set { inner.rate = newValue }
  }
  var trainingState: TrainingState<Scalar> {
    var state = inner.trainingState
    state.optimizer = method.name
    state.hyperparameters = method.hyperparameters
    return state
  }

  func step() throws -> StepReport {
    // In float64 it goes on where it was meant to end for rounding.
    let isOver =
      inner.stepCount >= method.after
      && (method.reason == .nonFinite || Scalar.precisionName == "float32")
    guard isOver else { return try inner.step() }
    let (value, gradient) = try loss.valueAndGradient(at: parameters)
    var report = StepReport(
      loss: value, gradientNorm: gradient.reduce(0) { $0 + Double($1 * $1) }.squareRoot())
    report.ending = StepEnding(method.reason, "It was told to end.")
    return report
  }
}
