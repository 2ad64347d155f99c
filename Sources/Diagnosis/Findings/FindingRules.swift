import Curvature
import LinearMaps
import Training

/// What the measurements and trials show, in words.
struct FindingRules<Scalar: LinearMapScalar> {
  let measured: Measurements<Scalar>
  let outcome: RemedyOutcomes
  let miniBatches: MiniBatches?

  var start: StartedProblem<Scalar> { measured.start }
  var survey: CurvatureSurvey<Scalar> { measured.survey }
  var facts: LearningRateFacts { measured.facts }
  var problem: DiagnosisProblem { start.problem }
  var tolerance: Double { start.request.trials.tolerance }
  /// The limit here, and what the trials say of it.
  var learningRate: DiagnosisReport.LearningRate {
    measured.learningRate(outcome.prescriptions, miniBatches)
  }

  /// The most important first: that there is nothing left to train, a rate that diverges, then a cause that can be mended in the table, then the
  /// rate, then the shape of the loss.
  ///
  /// - Throws: what the executor throws.
  func findings() throws -> [Finding] {
    let rate = rateFindings
    let scales = featureScales ?? settledByScales
    let shape = shapeFindings(hasScales: scales != nil)
    let isUnstable =
      learningRate.verdict?.isUnstable ?? (learningRate.run?.outcome == .diverged)
    let others = problem.isLinearInParameters ? [] : [targetScale, inputScales].compactMap { $0 }
    let batches = miniBatchFindings
    var findings =
      [arrival].compactMap { $0 } + (isUnstable ? rate : [])
      + (miniBatches?.binds == .noise ? batches : [])
      + others.filter { standing($0) == .main }
    findings += scales.map { [$0] } ?? []
    findings += isUnstable ? [] : rate
    findings += others.filter { standing($0) == .open }
    let absence = noMinimum
    // A network may fit its samples without error and train well for all that.
    if problem.isLinearInParameters, let absence { findings.append(absence) }
    findings += shape + others.filter { standing($0) == .acquitted }
    findings += miniBatches?.binds == .noise ? [] : batches
    if let finding = Finding.sharpestLayer(measured.layers, whole: survey.largest) {
      findings.append(finding)
    }
    if let whole = start.whole {
      findings.append(
        .someSamples(
          chosen: problem.sampleCount, of: whole.count, seed: start.request.resources.seed,
          sharpness: measured.sharpnessOnAll))
    }
    if let sampling = measured.sampling, let warning = sampling.warning {
      findings.append(
        .sampleTooSmall(
          sampling, samples: problem.sampleCount, called: problem.table == nil ? "sample" : "row",
          warning: warning))
    }
    if !problem.isLinearInParameters, let absence { findings.append(absence) }
    if let scaling = measured.scaling, let table = problem.table, !scaling.constantColumns.isEmpty {
      findings.append(
        .constantColumns(scaling.constantColumns.map { table.featureNames[$0] }))
    }
    if let table = problem.table, problem.isLinearInParameters, problem.l2 == 0,
      problem.sampleCount < table.featureCount + (table.hasIntercept ? 1 : 0)
    {
      findings.append(.fewSamples(samples: problem.sampleCount, parameters: start.point.count))
    }
    if let rate = start.request.training.rate ?? measured.safeRate,
      let truncation = try start.ifMeasurable({ try truncation(rate) })
    {
      findings.append(truncation)
    }
    if let reference = outcome.reference {
      findings.append(
        .referenceLoss(
          reference.loss, source: reference.source, isCertified: reference.isCertified))
    }
    findings += problem.findings
    if problem.isLinearInParameters, let finding = targetScale { findings.append(finding) }
    if let finding = unfinishedCoefficients(findings) { findings.append(finding) }
    if !start.budget.leftOut.names.isEmpty {
      findings.append(.tooDear(start.budget.leftOut.names))
    }
    if let (done, planned) = outcome.interrupted {
      findings.append(.interrupted(done: done, planned: planned))
    }
    return findings
  }

  /// That the loss has no minimum, known beforehand or found by Newton's method.
  private var noMinimum: Finding? {
    if let absence = measured.finiteMinimum.absence {
      return .noFiniteMinimum(
        reason: absence.reason, isMendedByPenalty: absence.isMendedByPenalty)
    }
    guard !outcome.hasFiniteMinimum else { return nil }
    return .noFiniteMinimum(reason: "the loss falls as the parameters grow")
  }

  private func shapeFindings(hasScales: Bool) -> [Finding] {
    var findings: [Finding] = []
    if survey.curvature.isIndefinite {
      findings.append(
        .negativeCurvature(
          mostNegative: survey.smallest, largest: survey.largest,
          gradientIsSmall: start.gradientNorm <= 1e-6 * max(1, abs(survey.largest)),
          gaussNewtonConditionNumber: measured.gaussNewton))
    }
    if survey.largest <= survey.zeroThreshold, !survey.curvature.isIndefinite {
      findings.append(
        .flatDirections(
          count: start.point.count, parameters: start.point.count,
          gradientShare: start.gradientNorm > 0 ? 1 : 0,
          reason: "the loss does not curve here at all"))
      return findings
    }
    if !hasScales, let finding = conditioning { findings.append(finding) }

    let reason = survey.flatCount.flatMap(flatReason)
    // What the model explains is flat; what rounding alone makes flat need not be.
    if let open = survey.unresolved, reason == nil {
      findings.append(
        .conditionNumberOpen(
          open, threshold: survey.zeroThreshold, parameters: start.point.count))
    } else if survey.isResolved, !survey.curvature.isIndefinite {
      findings.append(.solvedInFloat64(resolvable: survey.rounding))
    }
    let hasFlat =
      (survey.flatCount ?? 0) > 0 && !survey.curvature.isIndefinite
      && (survey.unresolved == nil || reason != nil)
    if hasFlat, let count = survey.flatCount {
      let share = survey.model.flatWeight / max(survey.model.squaredGradientNorm, 1e-300)
      findings.append(
        .flatDirections(
          count: count, parameters: start.point.count, gradientShare: share,
          reason: reason))
    }
    if let finding = roundedTable { findings.append(finding) }
    if survey.modes == nil, !survey.isResolved, survey.unresolved == nil || reason != nil,
      survey.hidesGains(tolerance: tolerance)
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
    guard let table = problem.table, let scaling = measured.scaling else { return nil }
    if table.model == .softmax, problem.l2 == 0,
      count >= table.featureCount + (table.hasIntercept ? 1 : 0),
      scaling.constantColumns.isEmpty
    {
      return "adding the same numbers to every class changes no probability"
    }
    if table.model == .softmax, problem.l2 > 0, count == 1, table.hasIntercept {
      return "adding the same number to every bias changes no probability"
    }
    // A penalty curves every weight's direction.
    guard problem.l2 == 0 else { return nil }
    if !scaling.constantColumns.isEmpty { return "a column is constant" }
    if problem.sampleCount < table.featureCount { return "there are fewer rows than columns" }
    if problem.sampleCount == table.featureCount, table.hasIntercept {
      return "there are as many rows as columns, and the bias is one parameter more"
    }
    return nil
  }

  /// What rounding the columns to float32 makes of the flattest direction, where that is another one.
  private var roundedTable: Finding? {
    guard Scalar.precisionName == "float32", let rounded = survey.modes, let table = problem.table,
      let exact = table.leastSquaresModes(
        features: table.features.map { DoubleDouble($0) }, target: table.numericTarget,
        at: start.point.map { Double($0) }),
      let before = exact.modes.last?.eigenvalue, let after = rounded.modes.last?.eigenvalue,
      exact.rank != rounded.rank || abs(after - before) > 0.01 * before
    else { return nil }
    return .roundedTable(
      flattest: after, flattestOfTable: before, flat: rounded.columnCount - rounded.rank,
      flatOfTable: exact.columnCount - exact.rank)
  }

  /// The table's columns are to blame, if standardising them lowers the condition number tenfold.
  private var featureScales: Finding? {
    guard let standardised = measured.standardised, let blame, survey.largest > survey.zeroThreshold
    else { return nil }
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
        afterStandardising: after, isEffective: isEffective, isCentred: standardised.isCentred)
    }
    let working =
      isIndefinite
      ? nil
      : finding(
        survey.unresolved == nil ? survey.workingConditionNumber : nil,
        other.unresolved == nil ? other.workingConditionNumber : nil, isEffective: false)
    // A penalty carried over leaves directions flat that descent never enters.
    return working
      ?? finding(
        survey.effectiveConditionNumber, other.effectiveConditionNumber, isEffective: true)
  }

  /// A network that large columns saturate curves little, and trains to a higher loss.
  private var settledByScales: Finding? {
    guard !problem.isLinearInParameters, let blame else { return nil }
    let id = Prescription.Kind.standardiseFeatures.rawValue
    func lowest(_ isStandardised: Bool) -> Double? {
      outcome.prescriptions.filter { ($0.id == id) == isStandardised }
        .compactMap(\.measured?.loss).min()
    }
    guard let raw = lowest(false), let standardised = lowest(true),
      raw - standardised > 0.01 * (start.loss - standardised)
    else { return nil }
    return .featureScales(
      guilty: blame.guilty, smallest: blame.innocent, rawLoss: raw, standardisedLoss: standardised)
  }

  /// The columns whose size is out of the ordinary, and one to compare them with.
  private var blame: (guilty: [Finding.ColumnScale], innocent: Finding.ColumnScale)? {
    guard let scaling = measured.scaling, let table = problem.table else { return nil }
    func column(_ index: Int) -> Finding.ColumnScale {
      .init(name: table.featureNames[index], scale: scaling.sizes[index])
    }
    return scaling.culprits.map { guilty, innocent in
      (guilty.map(column), innocent.map(column) ?? .init(name: "the bias", scale: 1))
    }
  }

  private var conditioning: Finding? {
    let isIndefinite = survey.curvature.isIndefinite
    guard !survey.hidesGains(tolerance: tolerance), survey.unresolved == nil,
      let kappa = isIndefinite ? survey.effectiveConditionNumber : survey.workingConditionNumber
    else { return nil }
    if kappa < 10 {
      // Where most of a network is flat, the round rest says nothing of how well it trains.
      let isMostlyFlat = survey.flatCount.map { 2 * $0 > start.point.count } ?? false
      return isIndefinite || isMostlyFlat ? nil : .wellConditioned(conditionNumber: kappa)
    }
    return .illConditioned(
      conditionNumber: kappa,
      isEffective: isIndefinite
        || (survey.curvature.conditionNumber == nil && survey.positiveConditionNumber == nil),
      epsilon: survey.resolution)
  }

  /// `eta^2/2 g'Hg` against the measured shortfall of one step of plain descent.
  private func truncation(_ rate: Double) throws -> Finding? {
    guard start.optimizer.isPlainDescent else { return nil }
    var stepped = start.point
    Scalar.axpy(start.point.count, Scalar(-rate), start.gradient, &stepped)
    let value = try start.objective.value(at: stepped)
    let norm = start.gradientNorm
    let measured = value - (start.loss - rate * norm * norm)
    let predicted = survey.model.truncationError(rate: rate)
    // Below the rounding of the loss there is nothing to compare.
    guard measured.isFinite, predicted.isFinite,
      abs(measured) > 1e3 * Double(Scalar.ulpOfOne) * abs(start.loss)
    else {
      return nil
    }
    return .stepTruncation(rate: rate, predicted: predicted, measured: measured)
  }
}
