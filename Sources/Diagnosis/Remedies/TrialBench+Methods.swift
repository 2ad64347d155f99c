import Curvature
import LinearMaps
import Training

/// Runs whose steps differ in their work.
extension TrialBench {
  /// Follows the steps of a method with inner iterations, or of an optimizer that one takes over from, for at most
  /// the work of as many gradients as another trial may take.
  ///
  /// Gradients are counted as the steps report them, those in float64 too.
  /// - Parameter firstShare: of a gradient over all samples, what a step of the optimizer takes.
  func follow(
    _ run: any TrainingSteps<Scalar>, theory: Theory = Theory(), extraOperations: Double = 0,
    firstShare: Double = 1, limit: Int
  ) throws -> Outcome {
    let most = batches?.work ?? Double(limit)
    let scale = max(abs(startLoss), 1e-300)
    var (losses, work) = ([Double](), [Double]())
    var gaps: [Double]? = theory.modes == nil ? nil : []
    // In gradients; a method begins with the gradient of its start.
    var spent = 0.0
    var isFirst = firstShare < 1
    var relativeGap: Double?
    var arrival: (step: Int, gap: Double?)?
    var arrivalPoint: [Double]?
    func outcome(
      diverged: Bool = false, cancelled: Bool = false, arrived: Bool = false, cut: Bool = false
    ) -> Outcome {
      Outcome(
        losses: losses, arrival: arrived ? arrival?.step : nil,
        relativeGap: arrived ? arrival?.gap : relativeGap, isDiverged: diverged,
        wasCancelled: cancelled, wasCut: cut,
        operationsPerStep: spent * gradientOperations / Double(max(1, losses.count)),
        extraOperations: extraOperations, limit: limit,
        arrivalPoint: arrived ? arrivalPoint : nil, workPath: work, exactGaps: gaps)
    }
    var step = 0
    while true {
      let point = theory.modes == nil ? [] : run.parameters
      let report = try run.step()
      if report.notes.contains(where: { $0.kind == .change }) { isFirst = false }
      let own =
        isFirst
        ? Double(report.gradients - 1) + firstShare
        : Double(report.gradients) + 3 * Double(report.products)
      losses.append(report.loss)
      work.append(max(spent, isFirst ? spent + own : 1) * gradientOperations)
      spent += own
      if !report.loss.isFinite || report.loss - startLoss > 1e16 * scale {
        return outcome(diverged: true)
      }
      var exact: Double?
      if let modes = theory.modes {
        exact = modes.relativeGap(at: point.map { Double($0) })
        gaps?.append(exact ?? .nan)
      }
      let (isWithin, gap) = isWithin(report.loss, { exact })
      relativeGap = gap
      if isWithin, !isFirst || batches == nil {
        if arrival == nil { arrivalPoint = theory.modes == nil ? nil : point.map { Double($0) } }
        let since = arrival ?? (step, gap)
        arrival = since
        if theory.isMonotone || report.ending != nil
          || step - since.step >= Self.watch(after: since.step)
        {
          return outcome(arrived: true)
        }
      } else {
        arrival = nil
      }
      if report.ending != nil
        || arrival == nil && (spent >= most || batches == nil && step >= limit)
      {
        return outcome()
      }
      if arrival == nil, let contest, step > 0,
        isLost(
          contest, step, spent * gradientOperations / Double(step + 1), extraOperations, losses,
          limit)
      {
        return outcome(cut: true)
      }
      if context.isCancelled() { return outcome(cancelled: true) }
      step += 1
    }
  }
}
