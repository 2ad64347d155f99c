import Curvature
import LinearMaps
import TensorPrograms
import Testing
import Training

/// The limits stated for optimizers that divide by something measured: with what they divide by held where it
/// is, a run on a bowl shrinks below the limit and grows above it.
@Suite struct FrozenStabilityTests {
  /// An optimizer, and what its state holds: mean squares that 2,000 steps do not move.
  struct Row: Sendable, CustomStringConvertible {
    let name: String
    var hyperparameters: [String: Double] = [:]
    let frozen: [String: Double]
    var description: String { "\(name) \(hyperparameters)" }
  }

  static let rows: [Row] =
    ["adam", "adamw", "amsgrad", "nadam", "radam", "prodigy", "schedule-free-adamw"].flatMap {
      name in
      [0.9, 0.5].map { beta in
        var values = ["beta1": beta, "beta2": 1 - 1e-9]
        if name == "adamw" { values["weight-decay"] = 0 }
        let moment = ["amsgrad": "largest"][name] ?? "v"
        var frozen = [moment: 0.04]
        if name == "prodigy" { frozen["d"] = 0.5 }
        if name == "schedule-free-adamw" { frozen["weight-sum"] = 1e12 }
        return Row(name: name, hyperparameters: values, frozen: frozen)
      }
    } + [
      Row(
        name: "adam", hyperparameters: ["bias-correction": 0, "beta2": 1 - 1e-9],
        frozen: ["v": 0.04]),
      Row(name: "rmsprop", hyperparameters: ["alpha": 1 - 1e-9], frozen: ["v": 0.04]),
      Row(
        name: "rmsprop", hyperparameters: ["alpha": 1 - 1e-9, "momentum": 0.8],
        frozen: ["v": 0.04]),
      Row(
        name: "rmsprop", hyperparameters: ["alpha": 1 - 1e-9, "centered": 1],
        frozen: ["v": 0.05, "m": 0.1]),
      Row(name: "adagrad", hyperparameters: ["rate-decay": 1e-9], frozen: ["sum": 3]),
      Row(
        name: "sophia-h", hyperparameters: ["every": 1e9, "weight-decay": 0], frozen: ["h": 2]),
      Row(name: "adahessian", hyperparameters: ["every": 1e9], frozen: ["v": 0.04]),
    ]

  @Test(arguments: rows)
  func limitIsWhereRunsGrow(_ row: Row) throws {
    let optimizer = try OptimizerSetting(row.name, row.hyperparameters).make()
    let rule = try #require(optimizer.stability)
    #expect(rule.isPreconditioned)
    let eigenvalue = 3.0
    let loss: Objective<Double> = try quadratic([eigenvalue])
    // So late that corrections of a mean's start, and NAdam's rise of momentum, are over.
    let steps = row.name == "adahessian" || row.name.hasPrefix("sophia") ? 10_001 : 1_000_000
    for (times, isStable) in [(0.98, true), (1.02, false)] {
      let start = 1e-9
      let first = try TrainingRun(loss, optimizer, rate: 1, from: [start])
      var state = first.trainingState
      state.stepCount = steps
      state.state = optimizer.initialState(loss.parameters).map { tensor in
        switch tensor.start {
        case .constant(let value): row.frozen[tensor.name] ?? value
        case .values(let values): values[0]
        case .parameter: tensor.name == "start" || tensor.name == "z" ? start : 0
        }
      }
      // The momentum has been rising all the while.
      if row.name == "nadam" { state.state[2] = 0 }
      let known = try TrainingRun(resuming: state, of: loss)
      let divisor = try #require(optimizer.preconditioner(state: known.state, step: steps))[0]
      state.rate = times * rule.criticalProduct * divisor / eigenvalue
      let run = try TrainingRun(resuming: state, of: loss)
      for _ in 0..<2000 where run.evaluatedParameters[0].magnitude < 1e-5 { try run.step() }
      let size = run.evaluatedParameters[0].magnitude
      #expect(
        isStable ? size < 1e-1 * start : size > 10 * start, "\(row) at \(times): \(size / start)")
      let now = try #require(optimizer.preconditioner(state: run.state, step: run.stepCount))[0]
      #expect(close(now, divisor, 1e-2), "\(row): \(divisor) became \(now)")
    }
  }

  @Test func everyStatedLimitHasARow() throws {
    for entry in OptimizerCatalogue.all {
      guard try entry.make().stability?.isPreconditioned == true else { continue }
      #expect(
        Self.rows.contains { $0.name == entry.name } || entry.name == "sophia-g", "\(entry.name)")
    }
  }
}
