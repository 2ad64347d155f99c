import Curvature
import Presentation
import TensorPrograms
import Training

extension RuleSetup {
  /// The rules with patterns resolved.
  ///
  /// - Parameters:
  ///   - method: whose decay it is: that of plain descent is the penalty `l2`, which leaves biases alone.
  ///   - factors: arrays of `rateFile`, by the names of parameters.
  ///   - rate: that of all, where the schedule begins, for rates of their own.
  /// - Throws: `DiagnosisFailure` for a pattern that names no parameter, and for an array that fits none.
  func rules(
    _ parameters: [LossDefinition.Parameter], of method: String, factors: [String: Tensor] = [:],
    rate: Double? = nil
  ) throws -> StepRules {
    var rules = StepRules()
    rules.clipValue = clipValue
    rules.clipNorm = clipNorm
    rules.weightDecay = weightDecay
    let undecayed = undecayed ?? (leavesBiases(method) ? Self.biases : Self.none)
    if undecayed != Self.none {
      let left =
        undecayed == Self.biases
        ? parameters.indices.filter { parameters[$0].isBias }
        : try positions(of: undecayed, in: parameters)
      rules.decays = parameters.indices.map { !left.contains($0) }
    }
    guard !rates.isEmpty || !factors.isEmpty else { return rules }
    var all = parameters.map { _ in RateFactor.scalar(1) }
    for group in rates {
      for index in try positions(of: group.parameters, in: parameters) {
        all[index] = .scalar(group.factor(of: rate))
      }
    }
    for (name, tensor) in factors.sorted(by: { $0.key < $1.key }) {
      guard
        let index = parameters.firstIndex(where: { $0.name == name || $0.qualifiedName == name })
      else {
        throw DiagnosisFailure(
          .badData,
          "\(rateFile ?? "The file of rates"): there is no parameter '\(name)'; there are "
            + "\(Wording.list(parameters.map(\.name), limit: 12)).")
      }
      let shape = parameters[index].shape
      guard tensor.shape == shape || tensor.shape.count == 1 else {
        throw DiagnosisFailure(
          .badData,
          "\(rateFile ?? "The file of rates"): '\(name)' has the shape \(tensor.shape) and the parameter "
            + "\(shape); give one factor, or one for each entry.")
      }
      let values = tensor.doubles
      guard let first = values.first, values.allSatisfy({ $0.isFinite && $0 >= 0 }) else {
        throw DiagnosisFailure(
          .badData,
          "\(rateFile ?? "The file of rates"): '\(name)' holds a factor that is not a number of 0 or more; "
            + "mend it.")
      }
      all[index] = tensor.shape == shape ? .tensor(values) : .scalar(first)
    }
    guard all.contains(where: { !$0.isZero }) else {
      throw DiagnosisFailure(
        .usage,
        "\(option: .rates) holds all parameters where they are, so that there is nothing to train; leave one "
          + "of them a factor above 0.")
    }
    rules.rateFactors = all
    return rules
  }

  private func positions(
    of patterns: String, in parameters: [LossDefinition.Parameter]
  ) throws -> [Int] {
    do { return try parameters.positions(matching: patterns) } catch {
      throw DiagnosisFailure(.usage, "\(error)")
    }
  }
}

extension RateFactor {
  fileprivate var isZero: Bool {
    switch self {
    case .scalar(let factor): factor == 0
    case .tensor(let factors): factors.allSatisfy { $0 == 0 }
    }
  }
}
