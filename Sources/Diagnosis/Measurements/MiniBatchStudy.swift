import Curvature
import Foundation
import LinearMaps
import Presentation
import Training

/// What theory says of training in mini-batches, and a run beside it.
struct MiniBatchStudy<Scalar: LinearMapScalar> {
  let measured: Measurements<Scalar>
  let batch: Int

  var start: StartedProblem<Scalar> { measured.start }
  var training: TrainingSetup { start.request.training }
  var seed: UInt64 { start.request.resources.probeSeed }
  var sampling: Batches.Sampling { training.sampling ?? .shuffle }
  /// Of the data that are trained on, however few of them are diagnosed.
  var sampleCount: Int { start.whole?.count ?? start.problem.sampleCount }

  /// Entries of rows times directions up to which a product with second moments is made a few hundred times.
  private static var mostWork: Double { 6e6 }

  private static var mostParameters: Int { 150 }

  /// Nil where training is on all samples, or on what has no samples.
  init?(_ measured: Measurements<Scalar>) {
    guard let batch = measured.start.request.training.batch,
      measured.start.objective.objective != nil
    else { return nil }
    self.measured = measured
    self.batch = batch
  }

  /// All but the trials and what binds, which the runs of the remedies say.
  ///
  /// - Throws: what the executor throws.
  func study() throws -> MiniBatches {
    let n = sampleCount
    let batches = Batches(size: batch, seed: seed, sampling: sampling)
    let rest = n % batch
    var result = MiniBatches(
      batch: batch, sampling: sampling, stepsPerPass: batches.stepsPerPass(n),
      lastBatch: sampling == .shuffle && rest > 0 ? rest : nil,
      basis: .gradientNoise, samplesUsed: n, limit: nil, passLimit: nil,
      limitOnAll: measured.facts.stabilityLimit, rate: training.rate, floor: nil, run: nil,
      halfLimitBatch: nil, noiseScale: nil, limits: [], binds: nil, trials: [], note: nil)
    let noise = try start.ifMeasurable { try gradientNoise() }
    result.noiseScale = noise?.noiseScale
    if !start.optimizer.isPreconditioned {
      result.conditionNumber =
        measured.survey.workingConditionNumber ?? measured.survey.effectiveConditionNumber
    }
    guard !result.isWhole else {
      result.limit = result.limitOnAll
      result.basis = start.problem.isQuadratic ? .leastSquares : .gradientNoise
      result.note =
        "each batch is all \(Wording.count(n, "sample")): what is said of all samples at once holds"
      return result
    }
    result.noiseBatch = result.noiseScale.map {
      sampling == .shuffle ? $0 / (1 + $0 / Double(n)) : $0
    }
    if let method = HeavyBallForm(start.optimizer), let place = try place() {
      try fill(&result, place, method, batches)
    } else {
      result.note = noteWithoutSamples
      result.limitAtMost = try start.ifMeasurable { try limitAtMost() } ?? nil
    }
    return result
  }

  private var noteWithoutSamples: String {
    guard HeavyBallForm(start.optimizer) != nil else {
      return "of \(start.optimizer.phrase) on mini-batches no limit and no floor is known"
    }
    return "limit and floor are known for linear, logistic and softmax models of tables, of up to "
      + "\(Self.mostParameters) parameters"
  }

  // MARK: Where the samples are taken

  struct Place {
    /// At the minimum where there is one, and at the point of diagnosis.
    var rows: SampleRows
    var here: SampleRows
    var basis: MiniBatches.Basis
    /// The rows that were taken, all or a random part.
    var table: TabularProblem
    var used: Int { table.sampleCount }
  }

  /// Where training comes to, of the loss with decoupled decay as the penalty that it is.
  struct Minimum {
    var rows: SampleRows
    /// What decay adds to the penalty's diagonal; nil without decay.
    var decay: [Double]?
  }

  /// The samples at the minimum where there is one, else at the point; nil for what is no table's linear model.
  func place() throws -> Place? {
    guard let table = start.problem.table, start.whole == nil || start.problem.isQuadratic else {
      return nil
    }
    var point = start.point.map { Double($0) }
    var basis = MiniBatches.Basis.leastSquares
    if !start.problem.isQuadratic {
      let minimum = measured.finiteMinimum.isAbsent ? nil : try newtonMinimum(table, from: point)
      basis = minimum == nil ? .bowlHere : .bowlAtMinimum
      point = minimum ?? point
    }
    let d = Double(point.count)
    guard point.count <= Self.mostParameters else { return nil }
    let affordable = Int(Self.mostWork / (d * d * Double(table.outputCount)))
    var chosen = table
    if table.sampleCount > affordable {
      guard Double(affordable) >= 4 * d else { return nil }
      var generator = SeededGenerator(seed: seed)
      chosen = table.rows(
        at: Array((0..<table.sampleCount).shuffled(using: &generator).prefix(affordable)))
    }
    guard let rows = chosen.sampleRows(at: point),
      let here = basis == .bowlAtMinimum
        ? chosen.sampleRows(at: start.point.map { Double($0) }) : rows
    else { return nil }
    return Place(rows: rows, here: here, basis: basis, table: chosen)
  }

  /// The minimum that decay leads to; nil where Newton's method does not find it.
  func decayed(_ place: Place, _ method: HeavyBallForm, _ divisor: [Double]?) throws -> Minimum? {
    let decay = method.penalty(
      of: start.optimizer.decay, divisor: divisor, count: place.rows.point.count)
    func withDecay(_ rows: SampleRows) -> SampleRows {
      var rows = rows
      for index in decay.indices { rows.penalty[index] += decay[index] }
      return rows
    }
    var rows = withDecay(place.rows)
    guard place.basis != .leastSquares else { return Minimum(rows: rows, decay: decay) }
    func value(_ x: [Double]) throws -> Double {
      try start.objective.value(at: x.map { Scalar($0) })
        + zip(decay, x).reduce(0) { $0 + $1.0 * $1.1 * $1.1 } / 2
    }
    var x = place.rows.point
    for _ in 0..<60 {
      guard let samples = try rows.samples() else { return nil }
      let (here, gap) = (try value(x), samples.gap(at: samples.start))
      if gap <= 1e3 * Double(Scalar.ulpOfOne) * abs(here) {
        return Minimum(rows: rows, decay: decay)
      }
      var share = 1.0
      var next = x
      repeat {
        next = zip(x, samples.minimiser).map { $0 + share * ($1 - $0) }
        share /= 2
      } while try !(value(next) < here) && share > 1e-9
      guard share > 1e-9, let moved = place.table.sampleRows(at: next) else { return nil }
      (x, rows) = (next, withDecay(moved))
    }
    return nil
  }

  /// By Newton's method on the table's own rows; nil where it does not settle.
  private func newtonMinimum(_ table: TabularProblem, from start: [Double]) throws -> [Double]? {
    var x = start
    var value = try self.start.objective.value(at: x.map { Scalar($0) })
    for _ in 0..<60 {
      guard let modes = self.start.modes(of: table, at: x.map { Scalar($0) }) else { return nil }
      if modes.initialGap <= 1e-10 * max(abs(value), 1e-300) { return x }
      var share = 1.0
      var isLower = false
      for _ in 0..<30 where !isLower {
        let next = zip(x, modes.minimiser).map { $0 + share * ($1 - $0) }
        let other = try self.start.objective.value(at: next.map { Scalar($0) })
        if other < value { (x, value, isLower) = (next, other, true) }
        share /= 2
      }
      guard isLower else {
        return modes.initialGap <= 1e3 * Double(Scalar.ulpOfOne) * abs(value) ? x : nil
      }
    }
    return nil
  }
}

extension Optimizer {
  /// Whether its limit is of the Hessian divided by its own diagonal.
  var isPreconditioned: Bool { stability?.isPreconditioned == true }
}

/// An optimizer as momentum on a preconditioned loss: `v = b v + g`, `x -= share eta v / P`, the gradient taken at
/// `x` or ahead of it.
struct HeavyBallForm {
  let form: MomentumForm
  /// What the rate is multiplied by: `1 - b` for averaged gradients.
  let share: Double
  let isPreconditioned: Bool

  /// Nil for an optimizer of another form, or of which nothing is known.
  init?(_ optimizer: any Optimizer) {
    guard let rule = optimizer.stability, rule.momentum < 1 else { return nil }
    let plain = 2 + 2 * rule.momentum
    let share = plain / rule.criticalProduct
    isPreconditioned = rule.isPreconditioned
    if rule == .nesterov(rule.momentum), rule.momentum > 0 {
      (form, self.share) = (MomentumForm(rule.momentum, looksAhead: true), 1)
      return
    }
    guard abs(share - 1) < 1e-9 || abs(share - (1 - rule.momentum)) < 1e-9 else { return nil }
    (form, self.share) = (MomentumForm(rule.momentum), share)
  }

  /// What decoupled decay adds to the diagonal of the loss's penalty: at its minimum the velocity, which adds up
  /// `1 / (1 - b)` gradients, and the decay cancel. Without momentum steps are those of that loss exactly, else but
  /// for shares of `eta decay`.
  func penalty(of decay: Double, divisor: [Double]?, count: Int) -> [Double] {
    (0..<count).map { decay * (1 - form.momentum) / share * (divisor?[$0] ?? 1) }
  }
}
