import Diagnosis
import Presentation
import Training

extension DiagnosisReport {
  /// A name, a number, and a remark.
  private static func columns(digits: Int) -> [DataTable.Column] {
    [.words(), DataTable.Column("", .significant(digits)), .words()]
  }

  var curvatureSection: Document.Section {
    var rows: [DataTable.Row] = []
    func row(_ name: String, _ value: Double?, _ remark: String = "", level: Int = 0) {
      rows.append(.init([.text(name), .number(orMissing: value), .text(remark)], level: level))
    }
    let bound = curvature.largest.upperBound.map { "at most \(Wording.number($0, digits: 4))" }
    let risk = curvature.largest.failureProbability.flatMap {
      $0 > 0 ? ", but for a chance of \(Wording.number($0))" : nil
    }
    row("sharpest (largest eigenvalue)", curvature.largest.value, (bound ?? "") + (risk ?? ""))
    if let sampling = curvature.largestOnLargerSample {
      rows.append(
        .init(
          [.text("on a larger sample"), .blank, .text(sampling.words)], level: 1))
    }
    if let all = curvature.largestOnAllSamples {
      row(
        "on all \(Wording.count(all.samples)) samples", all.value,
        "to within \(Wording.number(all.residual))", level: 1)
    }
    let smallest = curvature.smallest.value
    row(
      "flattest (smallest eigenvalue)", smallest.map(curvature.rounded),
      smallest.map { curvature.countsAsZero($0) && $0 != 0 ? "to rounding" : "" } ?? "")
    if let positive = curvature.smallestPositive?.value, positive != smallest {
      row("smallest above zero", positive)
    }
    row(
      "smallest that matters", curvature.effectiveSmallest,
      "99 % of what 1,000 steps can gain lies above")
    let severity = curvature.severity?.meaning ?? ""
    switch curvature.spread {
    case .conditionNumber(let known): row("condition number", known, severity)
    case .indefinite: row("condition number", nil, "none: the loss curves downwards somewhere")
    case .ofTheOthers(let spread):
      row("condition number", nil, "infinite: some directions are flat")
      row("condition number of the others", spread, severity)
    case .unresolved: row("condition number", nil, "not resolved")
    case .atLeast(let bound, let flat):
      row(
        "condition number", nil,
        "at least \(Wording.number(bound, digits: 4)): "
          + (flat == 0
            ? "the flattest is near the rounding of \(problem.precision)"
            : "\(flat) within rounding of flat"))
    case .unknown: row("condition number", nil)
    }
    row(
      "effective condition number", curvature.effectiveConditionNumber,
      curvature.isEffectiveEstimated ? "an estimate, which has been off by ten" : "")
    if let other = curvature.otherGaussNewtonConditionNumber {
      row("of the convex part (Gauss-Newton)", other)
    }
    return Document.Section("Curvature", [.table(DataTable(Self.columns(digits: 4), rows))])
  }

  var rateSection: Document.Section? {
    var rows: [DataTable.Row] = []
    func row(_ name: String, _ value: Double?, _ remark: String) {
      guard let value else { return }
      rows.append(.init([.text(name), .number(value), .text(remark)]))
    }
    row(
      "stability limit", learningRate.stabilityLimit,
      advice.basis.isQuadratic
        ? "training diverges above" : "training is locally unstable above")
    if let batches = miniBatches, learningRate.stabilityLimit == nil {
      row(
        "stability limit", batches.limitOnAll,
        "on all samples, with the second moments "
          + (batches.runRate.map { "of a run at \(Wording.number($0))" } ?? "at this point"))
    }
    if let batches = miniBatches, !batches.isWhole {
      row(
        "limit on batches of \(batches.batch)", batches.limit, "the mean square grows above")
    }
    // It is a rate of plain descent.
    if problem.optimizer ?? OptimizerSetting().name == OptimizerSetting().name {
      row("minimax rate", learningRate.minimax, "best for the worst direction, near the limit")
    }
    if let verdict = learningRate.verdict {
      row("your rate", learningRate.given, verdict.rawValue)
    }
    if let iterations = prediction.iterations, let rate = prediction.rate {
      rows.append(
        .init([
          .text("steps predicted"), .integer(iterations),
          .text(
            "at \(Wording.number(rate)), to a relative gap of \(Wording.number(prediction.tolerance))"
              + (miniBatches.map { !$0.isWhole } ?? false ? ", on all samples at each step" : "")
          ),
        ]))
    }
    guard !rows.isEmpty else { return nil }
    return Document.Section("Learning rate", [.table(DataTable(Self.columns(digits: 3), rows))])
  }

  var directionSection: Document.Section? {
    let axis = rateAxis
    let count = 4
    let shown =
      directions.count <= 2 * count
      ? directions : directions.prefix(count) + directions.suffix(count)
    guard axis != nil || !shown.isEmpty else { return nil }
    var blocks: [Document.Block] = axis.map { [.figure($0)] } ?? []
    if !shown.isEmpty {
      if let rate = prediction.rate, directions.contains(where: \.isForetold) {
        blocks.append(
          .explanation(
            "At \(Wording.number(rate)): the error kept per step, and steps until the direction's part of "
              + "the gap is \(Wording.number(prediction.tolerance)) of what it was"
              + (advice.basis.isQuadratic ? "." : ", by the curvature at this point.")))
      }
      blocks.append(.table(table(of: Array(shown))))
      if shown.count < directions.count {
        blocks.append(
          .explanation(
            "(the \(count) sharpest and the \(count) flattest of "
              + "\(Wording.count(problem.parameters)))"))
      }
    }
    return Document.Section(
      axis == nil ? nil : "The learning rate that each direction wants", blocks)
  }

  private func table(of directions: [EigenDirection]) -> DataTable {
    // Of an optimizer whose course along a direction has no closed form nothing but the ideal rate is known.
    guard self.directions.contains(where: \.isForetold) else {
      return DataTable(
        [DataTable.Column("curvature"), DataTable.Column("ideal rate")],
        directions.map {
          DataTable.Row([
            .number(curvature.rounded($0.eigenvalue)), .number(orMissing: $0.idealRate),
          ])
        })
    }
    return DataTable(
      [
        DataTable.Column("curvature"), DataTable.Column("ideal rate"),
        DataTable.Column("error kept", .kept), DataTable.Column("steps", missing: "never"),
        .words(),
      ],
      directions.map { row in
        DataTable.Row([
          .number(curvature.rounded(row.eigenvalue)), .number(orMissing: row.idealRate),
          curvature.countsAsZero(row.eigenvalue) ? .number(1) : .number(orMissing: row.contraction),
          .integer(orMissing: row.iterations), .text(row.regime?.rawValue ?? ""),
        ])
      })
  }

  /// The ideal rate of every direction: sharp directions left, flat ones right, and where the rate in use
  /// and the stability limit fall. Nil where there is no spread to see.
  private var rateAxis: Figure? {
    func isDrawable(_ rate: Double) -> Bool { rate.isFinite && rate > 0 }
    let rates = directions.compactMap(\.idealRate).filter(isDrawable)
    guard rates.count > 1, let low = rates.min(), let high = rates.max(), high / low > 1.05 else {
      return nil
    }
    let marks = [("your rate", learningRate.given), ("limit", learningRate.stabilityLimit)]
    return Figure(
      [.rug(name: "ideal rates", x: rates)],
      x: .init("learning rate", scale: .logarithmic), y: .init(""),
      marks: marks.compactMap { label, rate in
        rate.flatMap { isDrawable($0) ? .init(label, at: $0) : nil }
      },
      caption:
        "Each mark is the learning rate that one direction wants, the sharpest leftmost; one rate "
        + "has to serve them all, and stay below the limit.")
  }
}

extension EigenDirection {
  /// Whether the course of the error along it is known.
  fileprivate var isForetold: Bool { regime != nil }
}
