import Diagnosis
import Foundation
import Presentation
import Training

extension Lab {
  /// Descent in two-dimensional bowls `(kappa x^2 + y^2) / 2` of growing condition number.
  public static let bowls = Lab(
    name: "bowls", summary: "How many steps does gradient descent need as a bowl gets narrower?",
    parameters: [
      LabParameter(
        "tolerance", 1e-6, range: 1e-12...0.1, "the length of the gradient that ends a run"),
      LabParameter(
        "largest", 10_000, small: 1000, range: 1...10_000,
        "the largest condition number that is run"),
    ]
  ) { context in
    let (tolerance, largest) = (context["tolerance"], context["largest"])
    let all = Bowls.conditionNumbers.filter { $0 <= largest }
    let bowls = try Bowls(tolerance: tolerance, conditionNumbers: all) { index in
      try context.progress("bowl \(index + 1) of \(all.count)", Double(index) / Double(all.count))
    }
    return LabOutcome(
      schema: "eigenstep.lab.bowls/1", checks: bowls.checks, sections: bowls.sections, values: bowls
    )
  }
}

/// Steps of descent in `f = x' diag(kappa, 1) x / 2` from `(1, 1)`, run and predicted.
///
/// At step `k` the gradient `g` of the last point is taken, the point moves by `-eta g`, and the run
/// stops when `||g|| < 1e-6`: the gradient before the move. At `eta = 2 / (kappa + 1)` both errors
/// shrink by `rho = (kappa - 1) / (kappa + 1)` per step, so the count is
/// `1 + ceil(ln(sqrt(kappa^2 + 1) / 1e-6) / -ln rho)`, and 2 for the round bowl.
public struct Bowls: Encodable, Sendable {
  public struct Row: Encodable, Sendable, Equatable {
    public let conditionNumber: Double
    /// `2 / (kappa + 1)`, the best fixed rate.
    public let rate: Double
    /// Steps of the run.
    public let iterations: Int
    /// Steps by the formula.
    public let closedForm: Int
    /// The formula before rounding up, less its leading 1; nil for the round bowl.
    public let exponent: Double?
    /// Steps at the cautious rate `1 / kappa`, run.
    public let iterationsAtSafeRate: Int
    /// Steps of heavy-ball momentum at its optimum, run.
    public let iterationsWithMomentum: Int
  }

  /// A question about `(1 - eta lambda)^k`.
  public struct Example: Encodable, Sendable, Equatable {
    public let question: String
    public let eigenvalue: Double
    public let rate: Double
    public let steps: Int
    /// `|1 - eta lambda|^steps`.
    public let factor: Double
    /// The number asked for: the factor or the steps.
    public let answer: Double
  }

  public let tolerance: Double
  public let start: [Double]
  public let rows: [Row]
  public let contraction: [Example]

  public static let conditionNumbers: [Double] = [
    1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 10000,
  ]

  /// - Parameter tolerance: of the gradient's length.
  public init(tolerance: Double = 1e-6, conditionNumbers: [Double] = Bowls.conditionNumbers) {
    self.init(tolerance: tolerance, conditionNumbers: conditionNumbers) { _ in }
  }

  /// - Parameter began: called with the index of each bowl before it is run; what it throws ends the lab.
  init(tolerance: Double, conditionNumbers: [Double], began: (Int) throws -> Void) rethrows {
    self.tolerance = tolerance
    start = [1, 1]
    rows = try conditionNumbers.enumerated().map { index, kappa in
      try began(index)
      return Self.row(kappa, tolerance: tolerance)
    }
    contraction = Self.examples
  }

  private static func row(_ kappa: Double, tolerance: Double) -> Row {
    let best = 2 / (kappa + 1)
    let heavy = LearningRateFacts.optimalMomentum(smallest: 1, largest: kappa)
    let exponent =
      kappa > 1
      ? log((kappa * kappa + 1).squareRoot() / tolerance) / log((kappa + 1) / (kappa - 1)) : nil
    return Row(
      conditionNumber: kappa, rate: best,
      iterations: steps(kappa, rate: best, tolerance: tolerance),
      closedForm: exponent.map { 1 + Int($0.rounded(.up)) } ?? 2, exponent: exponent,
      iterationsAtSafeRate: steps(kappa, rate: 1 / kappa, tolerance: tolerance),
      iterationsWithMomentum: steps(
        kappa, rate: heavy.rate, momentum: heavy.momentum, tolerance: tolerance))
  }

  private static func steps(
    _ kappa: Double, rate: Double, momentum: Double = 0, tolerance: Double
  ) -> Int {
    var (x, y) = (1.0, 1.0)
    var (lastX, lastY) = (x, y)
    var count = 0
    while true {
      count += 1
      let (gx, gy) = (kappa * x, y)
      (x, lastX) = (x - rate * gx + momentum * (x - lastX), x)
      (y, lastY) = (y - rate * gy + momentum * (y - lastY), y)
      if (gx * gx + gy * gy).squareRoot() < tolerance { return count }
    }
  }

  private static var examples: [Example] {
    let (sharp, flat, rate) = (100.0, 0.01, 0.005)
    let minimax = 2 / (sharp + flat)
    func example(_ question: String, _ lambda: Double, _ rate: Double, steps: Int) -> Example {
      let factor = abs(StepFactor(rate: rate, eigenvalue: lambda).value(after: Double(steps)))
      return Example(
        question: question, eigenvalue: lambda, rate: rate, steps: steps, factor: factor,
        answer: factor)
    }
    func steps(_ question: String, _ rate: Double, to target: Double) -> Example {
      let count = Int((log(target) / log1p(-rate * flat)).rounded(.up))
      let made = example(question, flat, rate, steps: count)
      return Example(
        question: question, eigenvalue: flat, rate: rate, steps: count, factor: made.factor,
        answer: Double(count))
    }
    return [
      example("error left in the sharp direction after 5 steps", sharp, rate, steps: 5),
      example("error left in the flat direction after 10,000 steps", flat, rate, steps: 10_000),
      steps("steps until the flat direction has caught up", rate, to: 0.03125),
      example(
        "error left in both after 10,000 steps at the minimax rate", flat, minimax, steps: 10_000),
      steps("steps until both are there at the minimax rate", minimax, to: 0.03125),
    ]
  }
}

extension Bowls {
  /// Steps run against the formula and against published counts, and factors against plain powers.
  var checks: [LabCheck] {
    var checks = rows.map { row in
      LabCheck(
        "steps at condition number \(Wording.number(row.conditionNumber, digits: 5))",
        predicted: Double(row.closedForm), measured: Double(row.iterations), row: "A11")
    }
    // Counted with momentum at its optimum, to the published tolerance.
    let published: [Double: Double] = [1: 2, 10: 32, 50: 81, 1000: 436]
    checks += rows.compactMap { row in
      published[row.conditionNumber].flatMap { count in
        tolerance == 1e-6
          ? LabCheck(
            "steps with momentum at condition number \(Wording.number(row.conditionNumber, digits: 5))",
            predicted: count, measured: Double(row.iterationsWithMomentum), row: "B4") : nil
      }
    }
    return checks
      + contraction.map { example in
        let power = pow(abs(1 - example.rate * example.eigenvalue), Double(example.steps))
        return LabCheck(
          example.question, predicted: power, measured: example.factor, tolerance: 1e-10 * power,
          row: "A10")
      }
  }

  var sections: [Document.Section] {
    let counts = DataTable(
      [
        DataTable.Column("condition number", .significant(5), side: .left),
        DataTable.Column("best rate"), DataTable.Column("steps"), DataTable.Column("formula"),
        DataTable.Column("at 1/sharpness"), DataTable.Column("with momentum"),
      ],
      rows.map {
        DataTable.Row([
          .number($0.conditionNumber), .number($0.rate), .integer($0.iterations),
          .integer($0.closedForm), .integer($0.iterationsAtSafeRate),
          .integer($0.iterationsWithMomentum),
        ])
      })
    let reasons = DataTable(
      [.words("question"), DataTable.Column("rate"), DataTable.Column("answer", .significant(10))],
      contraction.map {
        DataTable.Row([
          .text($0.question), .number($0.rate),
          $0.answer == $0.factor ? .number($0.answer) : .integer($0.steps),
        ])
      })
    return [
      Document.Section(
        "Steps until the gradient is below \(Wording.number(tolerance)), from (1, 1)",
        [
          .table(counts),
          .text(
            "The narrower the bowl, the more steps: their number grows like the condition number times "
              + "its logarithm. Momentum pays only the square root."),
        ]),
      Document.Section(
        "Why: curvatures 100 and 0.01 under one learning rate",
        [
          .table(reasons),
          .text("The rate that suits the sharp direction leaves the flat one almost where it was."),
        ]),
    ]
  }
}
