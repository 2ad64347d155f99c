import Presentation
import Training

extension BatchSetup {
  /// The batches of a run over so many samples.
  ///
  /// - Throws: `DiagnosisFailure` where a step would take more samples than there are.
  func batches(of samples: Int, seed: UInt64) throws -> Batches {
    try Self.check(size, times: accumulation, of: samples)
    return Batches(size: size * accumulation, seed: seed, sampling: sampling, last: last)
  }

  /// The one check of all commands.
  ///
  /// - Parameter accumulation: batches that make a step.
  /// - Throws: `DiagnosisFailure`.
  static func check(_ size: Int, times accumulation: Int = 1, of samples: Int) throws {
    let (step, overflow) = size.multipliedReportingOverflow(by: accumulation)
    guard overflow || step > samples else { return }
    let count =
      accumulation == 1
      ? "\(option: .batches, "\(size)") is"
      : "\(accumulation) times \(option: .batches, "\(size)") are" as Message
    throw DiagnosisFailure(
      .usage,
      count
        + " more than the \(Wording.count(samples, "sample")) that there are to train on; "
        + (accumulation > samples
          ? "accumulate at most \(samples / min(samples, size)) of them."
          : "give at most \(samples / accumulation), or leave it out to take all at each step."))
  }
}

extension TrainingSetup {
  /// Steps of so many passes over the samples.
  ///
  /// - Throws: `DiagnosisFailure` for more than any run comes to the end of.
  static func steps(passes: Int, of stepsPerPass: Int) throws -> Int {
    let (steps, overflow) = passes.multipliedReportingOverflow(by: stepsPerPass)
    guard !overflow, steps <= mostSteps else {
      throw DiagnosisFailure(
        .usage,
        "\(passes) passes of \(stepsPerPass) steps are more than any run comes to the end of; "
          + "give fewer.")
    }
    return steps
  }
}

extension RuleSetup {
  /// An optimizer in words, with the rules that a run has beside it.
  func phrase(_ optimizer: TrainingMethod) -> String {
    var phrase = decayPhrase(optimizer)
    if let clipValue {
      phrase += ", the gradient's entries clipped at \(Wording.number(clipValue))"
    }
    if let clipNorm { phrase += ", its norm clipped at \(Wording.number(clipNorm))" }
    if !rates.isEmpty || rateFile != nil { phrase += ", other rates for some parameters" }
    return phrase
  }

  private func decayPhrase(_ optimizer: TrainingMethod) -> String {
    let phrase = optimizer.phrase
    guard let decay = weightDecay, case .optimizer(let setting) = optimizer else { return phrase }
    let name = "weight-decay"
    guard setting.hyperparameters[name] != nil,
      let own = try? OptimizerSetting(
        setting.name, setting.hyperparameters.merging([name: decay]) { $1 })
    else {
      let whose = leavesBiases(setting.name) ? " of all but biases" : ""
      return "\(phrase), weight decay \(Wording.number(decay))\(whose)"
    }
    return own.make().phrase
  }
}
