import Training

/// What is said of the given rate: the limit at this point, and what a run did.
extension FindingRules {
  var rateFindings: [Finding] {
    guard let rate = start.request.training.rate else { return [] }
    let run = learningRate.run
    let diverged =
      run?.outcome == .diverged
      ? [Finding.rateDiverged(rate: rate, limit: facts.stabilityLimit, steps: run?.steps ?? 0)] : []
    guard let limit = facts.stabilityLimit else {
      return diverged
        + (start.optimizer.stability?.isPreconditioned == true && start.preconditioner == nil
          && miniBatches?.limit == nil
          ? [
            .limitUnknown(
              optimizer: start.optimizer.phrase,
              reason: start.problem.isOfCaller
                ? "it depends on \(start.missingDivisor.subject), \(start.missingDivisor.next)"
                : start.optimizer.name == "adam"
                  ? "it depends on the second moments, which exist after the first step; try --at"
                  : "it depends on what its steps are divided by, which exists after the first; try "
                    + "--at")
          ] : [])
    }
    guard let rule = start.optimizer.stability else { return diverged }
    let contraction = EigenDirection(
      eigenvalue: survey.largest, zeroThreshold: survey.zeroThreshold, rate: rate,
      optimizer: start.optimizer, tolerance: tolerance
    ).contraction
    if rate >= limit {
      // Adam's step is heavy-ball on its preconditioned curvature, which moves along with it.
      let growth =
        rule.isPreconditioned ? rule.growth(timesLimit: rate / limit) : contraction ?? .infinity
      return [
        .rateAboveLimit(
          rate: rate, limit: limit, sharpness: survey.largest, growth: abs(growth),
          direction: rule.isPreconditioned ? [] : survey.sharpestParameters(problem),
          isQuadratic: problem.isQuadratic && !rule.isPreconditioned,
          isStationary: start.gradientNorm == 0, run: run)
      ]
    }
    if let miniBatches, let own = miniBatches.limit, miniBatches.isAboveLimit {
      return [.batchAboveLimit(miniBatches, rate: rate, limit: own)]
        + (measured.userBatches == nil ? diverged : [])
    }
    guard diverged.isEmpty else { return diverged }
    if rate < rule.slowBelow * (miniBatches?.limit ?? limit) {
      // What more is gained by a larger rate the noise takes.
      if miniBatches?.binds == .noise { return [] }
      // What throws the loss about is not too small, however flat the start is.
      if let run, run.isSwinging { return [] }
      return [rateFarBelow(rate: rate, limit: limit, rule)]
    }
    var findings: [Finding] = []
    if start.optimizer.isPlainDescent, let contraction,
      rate > Verdict.oscillatingAbove * limit * (1 + Verdict.slack)
    {
      findings.append(.rateOscillates(rate: rate, limit: limit, contraction: contraction))
    }
    if start.optimizer.hasForecast, !survey.curvature.isIndefinite,
      let flattest = flattestOfInterest,
      survey.largest / flattest >= 1e3
    {
      let direction = EigenDirection(
        eigenvalue: flattest, zeroThreshold: survey.zeroThreshold, rate: rate,
        optimizer: start.optimizer, tolerance: tolerance)
      findings.append(
        .rateLimitedBySharpest(
          rate: rate, sharpness: survey.largest, flattest: flattest, halfLife: direction.halfLife,
          largerBy: start.optimizer.isPlainDescent
            ? (miniBatches?.limit ?? limit) / (2 * rate) : nil))
    }
    return findings
  }

  /// A rate that loses next to nothing even along the sharpest direction, against a larger one: of plain
  /// descent that which the trials speak for.
  private func rateFarBelow(rate: Double, limit: Double, _ rule: StepRule) -> Finding {
    let isPlain = start.optimizer.isPlainDescent
    let isQuadratic = problem.isQuadratic && !rule.isPreconditioned
    let own = outcome.prescriptions.first { $0.id == Prescription.Kind.asGiven.rawValue }
    var advised: Finding.AdvisedRate?
    var advisedSteps: Finding.StepCount?
    if let miniBatches, !miniBatches.isWhole, let own = miniBatches.limit {
      advised = .init(own / 2, isQuadratic ? .everywhere : .here)
    } else if isPlain {
      let better = outcome.prescriptions.prefix { $0.id != own?.id }
      // One that was run and came to no more speaks for nothing.
      let larger = plainRates.filter { item in
        (item.rateRun ?? 0) > rate
          && (item.measured == nil || own?.measured == nil || better.contains { $0.id == item.id })
      }
      if let item = larger.first(where: { $0.measured != nil }) ?? larger.first,
        let value = item.rateRun
      {
        advised = .init(
          value,
          item.measured.map { .run(steps: $0.stepsRun ?? 0) } ?? (isQuadratic ? .everywhere : .here)
        )
        advisedSteps = item.bestKnownSteps
      } else if outcome.prescriptions.allSatisfy({ $0.measured == nil }) {
        advised = .init(1 / survey.upperBound, isQuadratic ? .everywhere : .here)
      }
    } else {
      advised = .init(limit / 2, isQuadratic ? .everywhere : .here)
      advisedSteps =
        isQuadratic
        ? measured.iterations(survey, rate: limit / 2, by: start.optimizer).map { .predicted($0) }
        : nil
    }
    // Far below the limit momentum acts as descent at `1 / (1 - b)` times the rate: what a step loses
    // is counted in shares of the rate that is slow no longer.
    return .rateFarBelow(
      rate: rate, advised: advised,
      sharpness: isPlain ? survey.largest : 2 * Verdict.slowBelow / (rule.slowBelow * limit),
      isLocal: !isQuadratic, steps: own?.bestKnownSteps, advisedSteps: advisedSteps)
  }

  /// Rates of plain descent on the columns as they are, best first, without those that diverged.
  private var plainRates: [Prescription] {
    let ids = [Prescription.Kind.fastestRate, .safeRate].map(\.rawValue)
    let rates = outcome.prescriptions.filter {
      ids.contains($0.id) && $0.measured?.diverged != true
    }
    return rates.contains { $0.measured != nil }
      ? rates.ranked()
      : rates.sorted { left, _ in
        left.id == ids[0] && problem.isQuadratic
      }
  }

  private var flattestOfInterest: Double? {
    survey.smallestPositive?.value ?? survey.effectiveSmallest
  }
}

extension Prescription {
  /// The learning rate that was run, or would be.
  var rateRun: Double? { measured?.rate ?? predicted.rate }

  /// The best known number of steps to the tolerance: of the run, else of the forecast.
  ///
  /// A forecast that the run has outlived without arriving is no longer known.
  var bestKnownSteps: Finding.StepCount? {
    guard let measured else { return predicted.iterations.map { .predicted($0) } }
    if measured.diverged { return nil }
    if let iterations = measured.iterations { return .measured(iterations) }
    let run = measured.stepsRun ?? 0
    if let ahead = predicted.iterations, ahead > run { return .predicted(ahead) }
    return .notReached(after: run)
  }
}
