import Curvature
import LinearMaps
import Presentation
import TensorPrograms
import Training

/// The samples that are trained on, and those that are held out.
struct TrainingData {
  private(set) var training: DiagnosisProblem
  private(set) var heldOut: DiagnosisProblem?
  /// The samples that are trained on; nil for all.
  private var members: [Int]?

  /// - Parameters:
  ///   - other: what a file of held-out samples was opened as.
  ///   - standardises: whether a table's columns are standardised, by those that are trained on alone.
  /// - Throws: `DiagnosisFailure` where nothing would be left, or samples cannot be told apart.
  init(
    _ problem: DiagnosisProblem, heldOut other: DiagnosisProblem?, _ setup: HeldOutSetup?,
    seed: Int, standardises: Bool = false
  ) throws {
    training = problem
    heldOut = other
    try holdOut(setup, seed: seed)
    if standardises { standardise() }
  }

  /// Puts a share of the samples by.
  private mutating func holdOut(_ setup: HeldOutSetup?, seed: Int) throws {
    let problem = training
    guard case .share(let share)? = setup else { return }
    let samples = problem.sampleCount
    guard case .traced(let definition, _) = problem.loss, !definition.couplesSamples else {
      throw DiagnosisFailure(
        .usage,
        "No share of the samples can be held out of \(problem.name), whose loss is of all of them at once; "
          + "leave \(option: .heldOut) out.")
    }
    let group = definition.fixedBatch ?? 1
    let groups = samples / group
    let count = Int((share * Double(groups)).rounded())
    guard count >= 1, count < groups else {
      throw DiagnosisFailure(
        .usage,
        "\(option: .heldOut, "\(share)") of \(Wording.count(samples, "sample")) leaves "
          + (count < 1 ? "none to look at" : "none to train on") + "; give another share.")
    }
    var generator = SeededGenerator(seed: UInt64(bitPattern: Int64(seed)) &+ 3)
    let order = (0..<groups).shuffled(using: &generator)
    func members(of chosen: ArraySlice<Int>) -> [Int] {
      chosen.sorted().flatMap { $0 * group..<($0 + 1) * group }
    }
    heldOut = problem.on(members(of: order.prefix(count)))
    let kept = members(of: order.dropFirst(count))
    self.members = kept
    training = problem.on(kept)
    training.readings.append(
      Reading(
        "held-out",
        "\(Wording.count(count * group)) of the \(Wording.count(samples, "sample")), drawn by --seed "
          + "\(seed), are held out and not trained on.", names: []))
  }

  /// Those held out by the means and deviations of the others, which alone were seen.
  private mutating func standardise() {
    guard let table = training.table, table.scaling == nil else { return }
    let scaling = FeatureScaling(table)
    let changed = table.standardised(by: scaling)
    training = training.onRows(of: changed)
    training.readings += changed.readings.dropFirst(table.readings.count)
    if let problem = heldOut, let other = problem.table {
      heldOut = problem.onRows(of: other.standardised(by: scaling))
    }
  }
}

extension TrainingData {
  /// What tells this model, its data, its start and what is made of them from others.
  func fingerprint(_ request: TrainingRequest, factors: [String: Tensor]) -> String {
    training.fingerprint(heldOut: heldOut, request.problem, factors: factors)
  }

  /// What is trained on, for a run in float64: a model file is traced anew, its numbers widened.
  ///
  /// - Throws: what tracing throws, where an operation of the model has no such form.
  func trainingInFloat64() throws -> DiagnosisProblem {
    guard let problem = try training.inFloat64?() else { return training }
    return members.map { problem.on($0) } ?? problem
  }

  /// A fixed batch of the samples that are trained on, for what is measured on the way; nil where each step takes
  /// all of them.
  func sample(_ batches: Batches?, seed: Int) -> DiagnosisProblem? {
    guard let batches, batches.size < training.sampleCount else { return nil }
    var generator = SeededGenerator(seed: UInt64(bitPattern: Int64(seed)) &+ 4)
    return training.on(
      (0..<training.sampleCount).shuffled(using: &generator).prefix(batches.size).sorted())
  }
}

extension DiagnosisProblem {
  /// The same problem on some of its samples; losses that are added up are those of these alone.
  fileprivate func on(_ chosen: [Int]) -> DiagnosisProblem {
    if let table {
      var rows = table.rows(at: chosen)
      rows.rowsMeant = nil
      return onRows(of: rows)
    }
    guard case .traced(let definition, let data) = loss else { return self }
    var result = self
    result.loss = .traced(definition, data: data.map { $0.samples(at: chosen) })
    return result
  }

  /// What tells this model, its data and its start from others.
  ///
  /// - Parameters:
  ///   - heldOut: other samples that the run depends on.
  ///   - source: says how the loss is made of the model's outputs.
  ///   - factors: of the rate, by parameters.
  func fingerprint(
    heldOut: DiagnosisProblem?, _ source: ProblemSource, factors: [String: Tensor]
  ) -> String {
    var print = Fingerprint()
    switch source {
    case .table(let table): print.add(table.reduction.rawValue)
    case .model(let model): print.add("\(model.training) \(model.asLogits)")
    case .memory: break
    }
    for (name, factor) in factors.sorted(by: { $0.key < $1.key }) {
      print.add(name)
      print.add(factor)
    }
    for parameter in parameters { print.add("\(parameter.name) \(parameter.shape)") }
    print.add(start)
    print.add("\(modelName ?? "") \(lossName ?? "") \(l2)")
    for tensor in data { print.add(tensor) }
    for tensor in heldOut?.data ?? [] { print.add(tensor) }
    return print.text
  }
}
