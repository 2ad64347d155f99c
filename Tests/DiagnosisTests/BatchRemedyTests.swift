import Curvature
import Foundation
import LinearMaps
import TensorPrograms
import Testing
import Training

@testable import Diagnosis

/// Remedies in the user's mini-batches: what is said against what was run in the same report.
@Suite struct BatchRemedyTests {
  struct Setting: CustomStringConvertible {
    let table: String
    let batch: Int
    let rate: Double?
    let optimizer: String
    let seed: Int

    var description: String { "\(table), \(batch), \(rate ?? 0), \(optimizer), \(seed)" }

    func report() throws -> DiagnosisReport {
      let problem: TabularProblem
      switch table {
      case "noisy": problem = TestTable.linear(80, scales: [1, 2, 0.7], noise: 1, seed: 5)
      case "exact": problem = TestTable.linear(40, scales: [1, 0.5], noise: 0, seed: 6)
      case "scaled": problem = TestTable.linear(60, scales: [8, 0.3], noise: 0.3, seed: 8)
      case "logistic":
        var table = TestTable.classes(
          80, features: 3, count: 2, spread: 3, seed: 4, model: .logistic)
        table.loss = .binary
        problem = table
      case "separable": problem = TestTable.classes(60, features: 3, count: 3, spread: 0.1, seed: 9)
      default:
        problem = TestTable.classes(
          60, features: 3, count: 3, seed: 7, model: .mlp(hidden: [5], activation: .tanh))
      }
      let optimizer = try OptimizerSetting(optimizer)
      return try diagnose(
        problem,
        request: .test {
          $0.training.batch = batch
          $0.training.rate = rate
          $0.training.optimizer = optimizer
          $0.resources.seed = seed
          $0.trials.maxIterations = 240
        }, executor: ReferenceExecutor())
    }
  }

  static let grid: [Setting] = [
    .init(table: "noisy", batch: 8, rate: 0.02, optimizer: "gd", seed: 0),
    .init(table: "noisy", batch: 8, rate: 0.3, optimizer: "gd", seed: 1),
    .init(table: "noisy", batch: 2, rate: 0.4, optimizer: "gd", seed: 0),
    .init(table: "noisy", batch: 16, rate: 0.05, optimizer: "momentum", seed: 2),
    .init(table: "noisy", batch: 4, rate: 1.2, optimizer: "gd", seed: 3),
    .init(table: "noisy", batch: 8, rate: 0.01, optimizer: "adamw", seed: 0),
    .init(table: "noisy", batch: 20, rate: nil, optimizer: "gd", seed: 3),
    .init(table: "exact", batch: 4, rate: 0.1, optimizer: "gd", seed: 0),
    .init(table: "exact", batch: 4, rate: 5, optimizer: "gd", seed: 0),
    .init(table: "scaled", batch: 6, rate: 0.005, optimizer: "gd", seed: 1),
    .init(table: "logistic", batch: 8, rate: 0.05, optimizer: "gd", seed: 0),
    .init(table: "separable", batch: 8, rate: 0.5, optimizer: "gd", seed: 0),
    .init(table: "network", batch: 10, rate: 0.05, optimizer: "gd", seed: 0),
    .init(table: "network", batch: 10, rate: 0.01, optimizer: "adam", seed: 1),
  ]

  /// What a report ranks its runs by.
  private func level(_ item: Prescription, _ report: DiagnosisReport) -> Double? {
    guard let measured = item.measured, !measured.diverged else { return nil }
    return report.advice.basis.isJudgedByLoss ? measured.lossAtEqualWork : measured.relativeGap
  }

  @Test(arguments: grid)
  func `no sentence is contradicted by the runs beside it`(_ setting: Setting) throws {
    let report = try setting.report()
    let ran = report.prescriptions.filter { $0.measured != nil }
    #expect(ran.count >= 6)
    // All in the user's setting, or marked.
    for item in ran {
      let end = try #require(item.measured?.inBatches, "\(item.id)")
      #expect(
        end.batch == setting.batch || end.batch == nil && item.note!.contains("on all samples"))
      let all = ["newton-cg", "lbfgs"].contains(item.id)
      #expect(all == (end.batch == nil), "\(item.id)")
      #expect(item.measured?.iterations == nil)
      #expect(item.predicted.iterations == nil || item.id == "newton-cg", "\(item.id)")
    }
    let action = try #require(report.advice.action)
    let chosen = try #require(ran.first { $0.id == action.prescription })
    #expect(chosen.measured?.diverged == false && chosen.id != "cyclical-rate")
    #expect(chosen.measured?.inBatches?.batch == setting.batch)
    #expect(
      action.sentence.contains("in batches of \(setting.batch) samples"), "\(action.sentence)")
    let level = try #require(self.level(chosen, report))
    func errors(_ items: Prescription...) -> Double {
      3
        * items.reduce(0.0) { sum, item in
          let end = item.measured?.inBatches
          let own = (report.advice.basis.isJudgedByLoss ? end?.lossError : end?.gapError) ?? 0
          return sum + own * own
        }.squareRoot()
    }
    // Do is not worse than what is done now, for what matters.
    let given = ran.first { $0.id == "as-given" }
    if let given, let own = self.level(given, report) {
      let slack =
        report.advice.basis.isJudgedByLoss
        ? 0.011 * abs((report.problem.loss ?? 0) - own) + errors(given, chosen) : 1e-6
      #expect(level <= own + slack, "\(level) \(own)")
    }
    let best = ran.filter { $0.measured?.inBatches?.batch != nil && $0.id != "cyclical-rate" }
      .compactMap { self.level($0, report) }.min()!
    if action.sentence.contains("came lowest:") { #expect(level <= best * (1 + 1e-9)) }
    // Do's claim against every other run in the same batches: at most twice the smallest gap and what that scatters
    // by, or a hundredth of the way.
    if report.advice.basis.isMinimumCertified == true {
      for item in ran where item.measured?.inBatches?.batch != nil && item.id != "cyclical-rate" {
        guard let other = self.level(item, report),
          item.id != "as-given" || report.miniBatches.map({ !$0.isAboveLimit }) ?? true
        else { continue }
        #expect(
          level <= max(2 * other + errors(item), 1e-6) * (1 + 1e-9), "\(item.id) \(level) \(other)")
      }
    }
    // Trials are the remedies' own runs, over the same orders.
    for trial in report.miniBatches?.trials ?? [] {
      let id = trial.change.rawValue
      guard let item = ran.first(where: { $0.id == id }) else { continue }
      #expect(trial.rate == item.rateRun && trial.orders == item.measured?.inBatches?.orders)
      #expect(trial.passes == item.measured?.inBatches?.passes)
    }
    for item in ran {
      if let rate = item.rateRun { #expect(rate > 0, "\(item.id)") }
    }
    if let larger = report.miniBatches?.trial(.largerBatch) {
      for limit in [
        report.miniBatches?.limits.first { $0.batch == larger.batch }?.limit,
        report.miniBatches?.limitOnAll,
      ].compactMap({ $0 }) {
        #expect(larger.rate < limit)
      }
    }
    // No rate of plain descent that is named is above the limit of the batches.
    if let limit = report.miniBatches?.limit, setting.optimizer == "gd" {
      if let rate = report.advice.rate?.suggested { #expect(rate < limit) }
      for item in ran where ["safe-rate", "fastest-rate", "decayed-rate"].contains(item.id) {
        #expect(try #require(item.predicted.rate) < limit, "\(item.id)")
      }
      if ["as-given", "safe-rate", "fastest-rate", "decayed-rate"].contains(chosen.id) {
        #expect(action.rate! < limit)
      }
    }
    // The suggested rate came lowest of those of plain descent that ran, for what can be told.
    if report.advice.rate?.suggestion == .lowestInBatches, let rate = report.advice.rate?.suggested
    {
      let plain = ran.filter {
        ["as-given", "safe-rate", "fastest-rate", "decayed-rate"].contains($0.id)
          && $0.rateRun! < report.miniBatches?.limit ?? .infinity
      }
      let own = plain.filter { abs($0.rateRun! - rate) < 1e-12 }.compactMap {
        self.level($0, report)
      }.min()!
      let lowest = plain.compactMap { self.level($0, report) }.min()!
      let slack =
        report.advice.basis.isJudgedByLoss
        ? max(
          plain.map { errors($0) }.max()! * 1.5, 0.011 * abs((report.problem.loss ?? 0) - lowest))
        : max(9.001 * lowest, 1e-6)
      #expect(own <= lowest + slack)
      // Rate and Do name the same one where Do is a rate of plain descent.
      if plain.contains(where: { $0.id == chosen.id }) { #expect(rate == chosen.rateRun) }
    }
    if let given, given.measured?.diverged == true {
      #expect(chosen.id != "as-given")
    }
    #expect(!report.advice.notes.contains { $0.contains("take all samples at each step") })
    let restored = try JSONDecoder().decode(
      DiagnosisReport.self, from: Data(try report.json().utf8))
    #expect(restored == report)
  }

  @Test func `plain descent and momentum end where theory says, and lowering the rate lower`()
    throws
  {
    var ratios: [Double] = []
    for seed in [0, 1, 2, 3] {
      let report = try Setting(
        table: "noisy", batch: 8, rate: 0.05, optimizer: "gd", seed: seed
      ).report()
      for kind in [Prescription.Kind.asGiven, .safeRate, .momentum] {
        let item = try #require(report.prescription(kind))
        let predicted = try #require(item.predicted.meanGap, "\(kind.rawValue)")
        let measured = try #require(item.measured?.relativeGap)
        // A few passes of one run scatter widely.
        #expect(
          measured < 15 * predicted && measured > predicted / 15,
          "\(kind) \(measured) \(predicted)")
        ratios.append(measured / predicted)
      }
      let (decayed, own) = (
        try #require(report.prescription(.decayedRate)?.measured?.relativeGap),
        try #require(report.prescription(.safeRate)?.measured?.relativeGap)
      )
      #expect(decayed < own)
      #expect(report.advice.rate?.suggestion == .lowestInBatches)
    }
    let mean = ratios.reduce(0, +) / Double(ratios.count)
    #expect(mean > 0.2 && mean < 3, "\(ratios)")
  }

  @Test func `with columns of far sizes strong momentum has a rate above zero`() throws {
    let table = TestTable.linear(60, scales: [1, 800], noise: 0.3, seed: 8)
    let report = try diagnose(
      table,
      request: .test {
        $0.training.batch = 8
        $0.training.rate = 1e-7
        $0.trials.maxIterations = 80
      }, executor: ReferenceExecutor())
    let momentum = try #require(report.prescription(.momentum))
    #expect(momentum.predicted.momentum! > 0.99)
    for item in report.prescriptions {
      if let rate = item.rateRun { #expect(rate > 0, "\(item.id)") }
    }
    let all = 2 * (1 + momentum.predicted.momentum!) / report.curvature.largest.value!
    #expect(momentum.rateRun! < all)
    #expect(momentum.measured?.diverged == false)
  }

  @Test func `a shuffled batch of all samples is training on all samples`() throws {
    let report = try Setting(table: "exact", batch: 40, rate: 0.1, optimizer: "gd", seed: 0)
      .report()
    #expect(report.prescriptions.allSatisfy { $0.measured?.inBatches == nil })
  }
}
