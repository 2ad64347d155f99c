import Curvature
import LinearMaps
import Training

extension DiagnosisSession {
  /// What the measurements show, the most important first: a rate that diverges, then a cause that can be
  /// mended in the table, then the rate, then the shape of the loss.
  func findings(
    _ survey: CurvatureSurvey<Scalar>, facts: LearningRateFacts, gaussNewton: Double?,
    standardised: StandardisedVariant?, outcome: Remedies, layers: [LayerCurvature],
    sampling: SamplingError?, onAll: SharpnessOnAllSamples?
  ) throws -> [Finding] {
    let rate = rateFindings(survey, facts)
    let scales = featureScales(survey, standardised) ?? settledByScales(outcome)
    let shape = shapeFindings(survey, facts, gaussNewton, hasScales: scales != nil)
    let isUnstable = facts.verdict == .unstable
    var findings = (isUnstable ? rate : []) + (scales.map { [$0] } ?? [])
    findings += isUnstable ? [] : rate
    let absence = noMinimum(outcome)
    // A network may fit its samples without error and train well for all that.
    if problem.isLinearInParameters, let absence { findings.append(absence) }
    findings += shape
    if let finding = Finding.sharpestLayer(layers, whole: survey.largest) {
      findings.append(finding)
    }
    if let whole {
      findings.append(
        .someSamples(
          chosen: problem.sampleCount, of: whole.count, seed: request.resources.seed,
          sharpness: onAll))
    }
    if let sampling, let warning = sampling.warning {
      findings.append(
        .sampleTooSmall(
          sampling, samples: problem.sampleCount, called: problem.table == nil ? "sample" : "row",
          warning: warning))
    }
    if !problem.isLinearInParameters, let absence { findings.append(absence) }
    if let scaling, let table = problem.table, !scaling.constantColumns.isEmpty {
      findings.append(
        .constantColumns(scaling.constantColumns.map { table.featureNames[$0] }))
    }
    if let table = problem.table, problem.isLinearInParameters, problem.l2 == 0,
      problem.sampleCount <= table.featureCount
    {
      findings.append(.fewSamples(samples: problem.sampleCount, parameters: point.count))
    }
    if let rate = request.training.rate ?? safeRate(survey),
      let truncation = try truncation(survey, rate)
    {
      findings.append(truncation)
    }
    if let reference = outcome.reference {
      findings.append(
        .referenceLoss(
          reference.loss, source: reference.source, isCertified: reference.isCertified))
    }
    if !budget.leftOut.names.isEmpty {
      findings.append(.tooDear(budget.leftOut.names))
    }
    if let (done, planned) = outcome.interrupted {
      findings.append(.interrupted(done: done, planned: planned))
    }
    return findings
  }

  /// That the loss has no minimum, known beforehand or found by Newton's method.
  private func noMinimum(_ outcome: Remedies) -> Finding? {
    if let absence = finiteMinimum.absence {
      return .noFiniteMinimum(
        reason: absence.reason, isMendedByPenalty: absence.isMendedByPenalty)
    }
    guard !outcome.hasFiniteMinimum else { return nil }
    return .noFiniteMinimum(reason: "the loss falls as the parameters grow")
  }

  private func rateFindings(
    _ survey: CurvatureSurvey<Scalar>, _ facts: LearningRateFacts
  ) -> [Finding] {
    guard let rate = request.training.rate else { return [] }
    guard let limit = facts.stabilityLimit else {
      return optimizer.stability?.isPreconditioned == true && preconditioner == nil
        ? [
          .limitUnknown(
            optimizer: optimizer.phrase,
            reason: "it depends on the second moments, which exist after the first step; try --at")
        ] : []
    }
    guard let rule = optimizer.stability else { return [] }
    let contraction = EigenDirection(
      eigenvalue: survey.largest, zeroThreshold: survey.zeroThreshold, rate: rate,
      optimizer: optimizer, tolerance: request.trials.tolerance
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
          isStationary: gradientNorm == 0)
      ]
    }
    if rate < rule.slowBelow * limit {
      return [rateFarBelow(survey, rate: rate, limit: limit, rule)]
    }
    var findings: [Finding] = []
    if optimizer.isPlainDescent, rate > Verdict.oscillatingAbove * limit, let contraction {
      findings.append(.rateOscillates(rate: rate, limit: limit, contraction: contraction))
    }
    if optimizer.hasForecast, !survey.curvature.isIndefinite,
      let flattest = flattestOfInterest(survey),
      survey.largest / flattest >= 1e3
    {
      let direction = EigenDirection(
        eigenvalue: flattest, zeroThreshold: survey.zeroThreshold, rate: rate,
        optimizer: optimizer, tolerance: request.trials.tolerance)
      findings.append(
        .rateLimitedBySharpest(
          rate: rate, sharpness: survey.largest, flattest: flattest, halfLife: direction.halfLife))
    }
    return findings
  }

  /// A rate that loses next to nothing even along the sharpest direction, against one that is safe for
  /// the same optimizer.
  private func rateFarBelow(
    _ survey: CurvatureSurvey<Scalar>, rate: Double, limit: Double, _ rule: StepRule
  ) -> Finding {
    let isPlain = optimizer.isPlainDescent
    let advised = isPlain ? fastestRate(survey) ?? 1 / survey.upperBound : limit / 2
    func iterations(_ rate: Double) -> Int? { self.iterations(survey, rate: rate, by: optimizer) }
    // Far below the limit momentum acts as descent at `1 / (1 - b)` times the rate: what a step loses
    // is counted in shares of the rate that is slow no longer.
    return .rateFarBelow(
      rate: rate, advised: advised,
      sharpness: isPlain ? survey.largest : 2 * Verdict.slowBelow / (rule.slowBelow * limit),
      iterations: iterations(rate), advisedIterations: iterations(advised))
  }

  private func flattestOfInterest(_ survey: CurvatureSurvey<Scalar>) -> Double? {
    survey.smallestPositive?.value ?? survey.effectiveSmallest
  }

  private func shapeFindings(
    _ survey: CurvatureSurvey<Scalar>, _ facts: LearningRateFacts, _ gaussNewton: Double?,
    hasScales: Bool
  ) -> [Finding] {
    var findings: [Finding] = []
    if survey.curvature.isIndefinite {
      findings.append(
        .negativeCurvature(
          mostNegative: survey.smallest, largest: survey.largest,
          gradientIsSmall: gradientNorm <= 1e-6 * max(1, abs(survey.largest)),
          gaussNewtonConditionNumber: gaussNewton))
    }
    if survey.largest <= survey.zeroThreshold, !survey.curvature.isIndefinite {
      findings.append(
        .flatDirections(
          count: point.count, parameters: point.count,
          gradientShare: gradientNorm > 0 ? 1 : 0, reason: "the loss does not curve here at all"))
      return findings
    }
    if !hasScales, let finding = conditioning(survey) { findings.append(finding) }

    let hasFlat = (survey.flatCount ?? 0) > 0 && !survey.curvature.isIndefinite
    if hasFlat, let count = survey.flatCount {
      let share = survey.model.flatWeight / max(survey.model.squaredGradientNorm, 1e-300)
      findings.append(
        .flatDirections(
          count: count, parameters: point.count, gradientShare: share, reason: flatReason(count)))
    }
    if let finding = roundedTable(survey) { findings.append(finding) }
    if survey.modes == nil,
      survey.hidesGains(tolerance: request.trials.tolerance)
        || Scalar.precisionName == "float32" && abs(survey.smallest) <= survey.zeroThreshold
    {
      findings.append(
        .unresolvedEigenvalue(
          precision: Scalar.precisionName, resolvable: survey.zeroThreshold,
          largest: survey.largest))
    }
    return findings
  }

  /// Why directions are flat, where the model says so beforehand.
  private func flatReason(_ count: Int) -> String? {
    guard let table = problem.table, let scaling else { return nil }
    if table.model == .softmax, problem.l2 == 0, count >= table.featureCount + 1,
      scaling.constantColumns.isEmpty
    {
      return "adding the same numbers to every class changes no probability"
    }
    if table.model == .softmax, problem.l2 > 0, count == 1 {
      return "adding the same number to every bias changes no probability"
    }
    // A penalty curves every weight's direction.
    guard problem.l2 == 0 else { return nil }
    if !scaling.constantColumns.isEmpty { return "a column is constant" }
    if problem.sampleCount < table.featureCount { return "there are fewer rows than columns" }
    if problem.sampleCount == table.featureCount {
      return "there are as many rows as columns, and the bias is one parameter more"
    }
    return nil
  }

  /// What rounding the columns to float32 makes of the flattest direction, where that is another one.
  private func roundedTable(_ survey: CurvatureSurvey<Scalar>) -> Finding? {
    guard Scalar.precisionName == "float32", let rounded = survey.modes, let table = problem.table,
      let exact = table.leastSquaresModes(
        features: table.features.map { DoubleDouble($0) }, target: table.numericTarget,
        at: point.map { Double($0) }),
      let before = exact.modes.last?.eigenvalue, let after = rounded.modes.last?.eigenvalue,
      exact.rank != rounded.rank || abs(after - before) > 0.01 * before
    else { return nil }
    return .roundedTable(
      flattest: after, flattestOfTable: before, flat: rounded.columnCount - rounded.rank,
      flatOfTable: exact.columnCount - exact.rank)
  }

  /// The table's columns are to blame, if standardising them lowers the condition number tenfold.
  private func featureScales(
    _ survey: CurvatureSurvey<Scalar>, _ standardised: StandardisedVariant?
  ) -> Finding? {
    guard let standardised, let blame, survey.largest > survey.zeroThreshold else { return nil }
    let other = standardised.survey
    let isIndefinite = survey.curvature.isIndefinite || other.curvature.isIndefinite
    func finding(_ before: Double?, _ after: Double?, isEffective: Bool) -> Finding? {
      guard let before, let after, before >= 100 else { return nil }
      // An indefinite Hessian may only lose sharpness.
      guard
        after * 10 <= before
          || (survey.curvature.isIndefinite && survey.largest >= 100 * other.largest)
      else { return nil }
      return .featureScales(
        guilty: blame.guilty, smallest: blame.innocent, conditionNumber: before,
        afterStandardising: after, isEffective: isEffective)
    }
    let working =
      isIndefinite
      ? nil
      : finding(survey.workingConditionNumber, other.workingConditionNumber, isEffective: false)
    // A penalty carried over leaves directions flat that descent never enters.
    return working
      ?? finding(
        survey.effectiveConditionNumber, other.effectiveConditionNumber, isEffective: true)
  }

  /// A network that large columns saturate curves little, and trains to a higher loss.
  private func settledByScales(_ outcome: Remedies) -> Finding? {
    guard !problem.isLinearInParameters, let blame else { return nil }
    let id = Prescription.Kind.standardiseFeatures.rawValue
    func lowest(_ isStandardised: Bool) -> Double? {
      outcome.prescriptions.filter { ($0.id == id) == isStandardised }
        .compactMap(\.measured?.loss).min()
    }
    guard let raw = lowest(false), let standardised = lowest(true),
      raw - standardised > 0.01 * (loss - standardised)
    else { return nil }
    return .featureScales(
      guilty: blame.guilty, smallest: blame.innocent, rawLoss: raw, standardisedLoss: standardised)
  }

  /// The columns whose size is out of the ordinary, and one to compare them with.
  private var blame: (guilty: [Finding.ColumnScale], innocent: Finding.ColumnScale)? {
    guard let scaling, let table = problem.table else { return nil }
    func column(_ index: Int) -> Finding.ColumnScale {
      .init(name: table.featureNames[index], scale: scaling.sizes[index])
    }
    return scaling.culprits.map { guilty, innocent in
      (guilty.map(column), innocent.map(column) ?? .init(name: "the bias", scale: 1))
    }
  }

  private func conditioning(_ survey: CurvatureSurvey<Scalar>) -> Finding? {
    let isIndefinite = survey.curvature.isIndefinite
    guard !survey.hidesGains(tolerance: request.trials.tolerance),
      let kappa = isIndefinite ? survey.effectiveConditionNumber : survey.workingConditionNumber
    else { return nil }
    if kappa < 10 {
      // Where most of a network is flat, the round rest says nothing of how well it trains.
      let isMostlyFlat = survey.flatCount.map { 2 * $0 > point.count } ?? false
      return isIndefinite || isMostlyFlat ? nil : .wellConditioned(conditionNumber: kappa)
    }
    return .illConditioned(
      conditionNumber: kappa,
      isEffective: isIndefinite
        || (survey.curvature.conditionNumber == nil && survey.positiveConditionNumber == nil),
      epsilon: survey.resolution)
  }

  /// `eta^2/2 g'Hg` against the measured shortfall of one step of plain descent.
  private func truncation(_ survey: CurvatureSurvey<Scalar>, _ rate: Double) throws -> Finding? {
    guard optimizer.isPlainDescent else { return nil }
    var stepped = point
    Scalar.axpy(point.count, Scalar(-rate), gradient, &stepped)
    let value = try objective.value(at: stepped)
    let norm = gradientNorm
    let measured = value - (loss - rate * norm * norm)
    let predicted = survey.model.truncationError(rate: rate)
    // Below the rounding of the loss there is nothing to compare.
    guard measured.isFinite, predicted.isFinite,
      abs(measured) > 1e3 * Double(Scalar.ulpOfOne) * abs(loss)
    else {
      return nil
    }
    return .stepTruncation(rate: rate, predicted: predicted, measured: measured)
  }
}
