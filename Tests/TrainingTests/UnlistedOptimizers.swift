import Curvature
import Foundation
import TensorPrograms
import Training

/// Sharpness-aware in one gradient per step: the gradient is taken `radius` up the last one, measured over
/// all parameters at once; only weights decay. State of three shapes and starts.
struct Ascending: Optimizer {
  let name = "ascending"
  let phrase = "ascending"
  let radius = 0.2
  let shrink = 0.05

  func initialState(_ parameters: [LossDefinition.Parameter]) -> [StateTensor] {
    StateTensor.zeros("last", like: parameters)
      + [
        StateTensor("norm", .scalar, start: .constant(1)),
        StateTensor("schedule", [3], start: .values([1, 0.5, 0.25])),
      ]
  }

  func gradientPoint(_ position: OptimizerPosition) -> [Traced]? {
    let length = position.state[position.parameters.count]
    return zip(position.parameters, position.state(0)).map { $0 + $1 * radius / length }
  }

  func update(_ step: OptimizerStep) -> OptimizerUpdate {
    let count = step.parameters.count
    let schedule = step.position.state[count + 1]
    // Each step takes the next of three factors.
    let factor = schedule.slice(axis: 0, 0..<1).reshaped(.scalar)
    let turned = Traced.concatenate(
      [schedule.slice(axis: 0, 1..<3), schedule.slice(axis: 0, 0..<1)], axis: 0)
    let squares = step.gradients.map { $0.square().sum() }
    let moved = step.definitions.indices.map { index in
      let parameter = step.parameters[index]
      let pull = step.gradients[index] * factor
      return parameter
        - step.rate * (step.definitions[index].isBias ? pull : pull + parameter * shrink)
    }
    return OptimizerUpdate(
      parameters: moved,
      state: step.gradients + [(squares.dropFirst().reduce(squares[0], +)).sqrt(), turned])
  }

  /// Of weights alone, whatever the mask: done by the update.
  var decay: Double { shrink }
  var appliesDecay: Bool { true }

  static func reference(_ run: inout Reference) {
    let optimizer = Ascending()
    let last = run.remembered("last")
    let length = run.memory["norm"]?[0] ?? 1
    let point = zip(run.x, last).map { $0 + optimizer.radius * $1 / length }
    let g = run.gradient(at: point)
    let factor = [1, 0.5, 0.25][run.count % 3]
    for i in g.indices {
      let isWeight = i < 6
      run.x[i] -= run.rate * (factor * g[i] + (isWeight ? optimizer.shrink * run.x[i] : 0))
    }
    run.memory["last"] = g
    run.memory["norm"] = [norm(g)]
  }
}

/// Schedule-free descent: `y = (1 - b) z + b x`, `z <- z - eta g(y)`, `x <- x + (z - x) / t`; `z` starts as
/// the parameters do.
///
/// Reference: Defazio et al., "The Road Less Scheduled", arXiv:2405.15682, equations 2-4.
struct ScheduleFree: Optimizer {
  let name = "schedule-free"
  let phrase = "schedule-free descent"
  let beta = 0.9

  func initialState(_ parameters: [LossDefinition.Parameter]) -> [StateTensor] {
    parameters.enumerated().map { StateTensor("z", $1.shape, start: .parameter($0)) }
  }

  func gradientPoint(_ position: OptimizerPosition) -> [Traced]? {
    zip(position.parameters, position.state(0)).map { $1 * (1 - beta) + $0 * beta }
  }

  func update(_ step: OptimizerStep) -> OptimizerUpdate {
    step.eachParameter(slots: 1) { own in
      let z = own.state[0] - own.rate * own.gradient
      return (own.value + (z - own.value) / step.step, [z])
    }
  }

  static func reference(_ run: inout Reference) {
    let beta = ScheduleFree().beta
    var z = run.memory["z"] ?? run.x
    let g = run.gradient(at: zip(run.x, z).map { beta * $0 + (1 - beta) * $1 })
    for i in g.indices {
      z[i] -= run.rate * g[i]
      run.x[i] += (z[i] - run.x[i]) / Double(run.count + 1)
    }
    run.memory["z"] = z
  }
}

/// Lookahead in its one-point form: the gradient is taken at the fast weights, which are state as they
/// are, and the parameters follow by half after each step.
struct Follower: Optimizer {
  let name = "follower"
  let phrase = "follower"

  func initialState(_ parameters: [LossDefinition.Parameter]) -> [StateTensor] {
    parameters.enumerated().map { StateTensor("fast", $1.shape, start: .parameter($0)) }
  }

  func gradientPoint(_ position: OptimizerPosition) -> [Traced]? { position.state(0) }

  func update(_ step: OptimizerStep) -> OptimizerUpdate {
    step.eachParameter(slots: 1) { own in
      let fast = own.state[0] - own.rate * own.gradient
      return ((own.value + fast) * 0.5, [fast])
    }
  }

  static func reference(_ run: inout Reference) {
    var fast = run.memory["fast"] ?? run.x
    let g = run.gradient(at: fast)
    for i in g.indices {
      fast[i] -= run.rate * g[i]
      run.x[i] = (run.x[i] + fast[i]) / 2
    }
    run.memory["fast"] = fast
  }
}
