import Diagnosis
import Foundation
import Presentation

extension Lab {
  /// Descent in two-dimensional bowls `(kappa x^2 + y^2) / 2` of growing condition number.
  public static let bowls = Lab(
    name: "bowls", summary: "How many steps does gradient descent need as a bowl gets narrower?"
  ) { Bowls() }
}

/// Steps of descent in `f = x' diag(kappa, 1) x / 2` from `(1, 1)`, run and predicted.
///
/// At step `k` the gradient `g` of the last point is taken, the point moves by `-eta g`, and the run
/// stops when `||g|| < 1e-6`: the gradient before the move. At `eta = 2 / (kappa + 1)` both errors
/// shrink by `rho = (kappa - 1) / (kappa + 1)` per step, so the count is
/// `1 + ceil(ln(sqrt(kappa^2 + 1) / 1e-6) / -ln rho)`, and 2 for the round bowl.
public struct Bowls: LabResult {
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

  public let schema: String
  public let tolerance: Double
  public let start: [Double]
  public let rows: [Row]
  public let contraction: [Example]

  public static let conditionNumbers: [Double] = [
    1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 10000,
  ]

  public init() {
    schema = "eigenstep.lab.bowls/1"
    tolerance = 1e-6
    start = [1, 1]
    rows = Self.conditionNumbers.map { Self.row($0, tolerance: 1e-6) }
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
  public var tables: [LabTable] {
    [
      LabTable(
        title: "Steps until the gradient is below 1e-6, from (1, 1)",
        table: DataTable(
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
          }),
        remark: "The narrower the bowl, the more steps: their number grows like the condition "
          + "number times its logarithm. Momentum pays only the square root."),
      LabTable(
        title: "Why: curvatures 100 and 0.01 under one learning rate",
        table: DataTable(
          [
            .words("question"), DataTable.Column("rate"),
            DataTable.Column("answer", .significant(10)),
          ],
          contraction.map {
            DataTable.Row([
              .text($0.question), .number($0.rate),
              $0.answer == $0.factor ? .number($0.answer) : .integer($0.steps),
            ])
          }),
        remark: "The rate that suits the sharp direction leaves the flat one almost where it was."),
    ]
  }
}
