import Curvature
import Presentation

extension Finding {
  /// A column of the table with the size it enters the model with (its root mean square).
  public struct ColumnScale: Sendable, Equatable {
    public let name: String
    public let scale: Double

    public init(name: String, scale: Double) {
      self.name = name
      self.scale = scale
    }
  }

  /// The condition number comes from columns of different sizes, and standardising mends it.
  ///
  /// - Parameters:
  ///   - guilty: the columns to blame, largest first.
  ///   - smallest: the smallest column, for comparison.
  ///   - isEffective: whether the numbers are effective condition numbers.
  ///   - isCentred: whether columns were centred before they were scaled.
  public static func featureScales(
    guilty: [ColumnScale], smallest: ColumnScale, conditionNumber: Double,
    afterStandardising: Double, isEffective: Bool = false, isCentred: Bool = true
  ) -> Finding {
    let names = guilty.map { "\($0.name) (about \(Wording.number($0.scale)))" }
    return Finding(
      id: "ill-conditioned-feature-scales",
      sentence:
        "Training is slow because the columns have very different sizes: \(Wording.list(names)) "
        + "against \(smallest.name) (about \(Wording.number(smallest.scale))). The "
        + "\(isEffective ? "effective " : "")condition number is \(Wording.number(conditionNumber)); after "
        + "\(isCentred ? "standardising" : "scaling") every column it is \(Wording.number(afterStandardising)).",
      evidence: [
        "columns": .list(guilty.map(\.name)), "largestScale": .number(guilty.first?.scale ?? 0),
        "smallestColumn": .text(smallest.name), "smallestScale": .number(smallest.scale),
        "conditionNumber": .number(conditionNumber),
        "conditionNumberAfterStandardising": .number(afterStandardising),
      ])
  }

  /// A network fed with standardised columns comes to a lower loss than one fed with the raw ones.
  ///
  /// - Parameters:
  ///   - guilty: the columns to blame, largest first.
  ///   - rawLoss: the lowest that a trial on the raw columns came to.
  public static func featureScales(
    guilty: [ColumnScale], smallest: ColumnScale, rawLoss: Double, standardisedLoss: Double
  ) -> Finding {
    let names = guilty.map { "\($0.name) (about \(Wording.number($0.scale)))" }
    return Finding(
      id: "ill-conditioned-feature-scales",
      sentence:
        "The columns have very different sizes: \(Wording.list(names)) against \(smallest.name) "
        + "(about \(Wording.number(smallest.scale))). The lowest loss of any run on them was "
        + "\(Wording.number(rawLoss)); on standardised columns it was "
        + "\(Wording.number(standardisedLoss)).",
      evidence: [
        "columns": .list(guilty.map(\.name)), "largestScale": .number(guilty.first?.scale ?? 0),
        "smallestColumn": .text(smallest.name), "smallestScale": .number(smallest.scale),
        "rawLoss": .number(rawLoss), "standardisedLoss": .number(standardisedLoss),
      ])
  }

  /// The condition number is large for another reason than the sizes of columns.
  ///
  /// - Parameter isEffective: whether it is the effective condition number, of the directions that
  ///   descent reaches.
  public static func illConditioned(
    conditionNumber: Double, isEffective: Bool = false, epsilon: Double = Double.ulpOfOne
  ) -> Finding {
    let band = Conditioning(conditionNumber: conditionNumber, epsilon: epsilon)
    return Finding(
      id: "ill-conditioned",
      sentence:
        "The \(isEffective ? "effective " : "")condition number is "
        + "\(Wording.number(conditionNumber)): \(band.meaning).",
      evidence: [
        "conditionNumber": .number(conditionNumber), "severity": .text(band.rawValue),
      ])
  }

  /// Nothing in the curvature slows training down.
  public static func wellConditioned(conditionNumber: Double) -> Finding {
    Finding(
      id: "well-conditioned",
      sentence:
        "The condition number is only \(Wording.number(conditionNumber)): "
        + "\(Conditioning.good.meaning).",
      evidence: ["conditionNumber": .number(conditionNumber)])
  }

  /// Some direction curves downwards.
  ///
  /// - Parameters:
  ///   - gradientIsSmall: whether the point is (nearly) stationary, so that "saddle" is the word.
  ///   - gaussNewtonConditionNumber: of the convex part, where the loss has a model output.
  public static func negativeCurvature(
    mostNegative: Double, largest: Double, gradientIsSmall: Bool,
    gaussNewtonConditionNumber: Double?
  ) -> Finding {
    let place =
      gradientIsSmall
      ? "This point is a saddle, not a minimum" : "The loss is not convex here"
    let rest =
      gaussNewtonConditionNumber.map {
        " Its convex part (Gauss-Newton) has condition number \(Wording.number($0))."
      } ?? ""
    return Finding(
      id: gradientIsSmall ? "saddle" : "non-convex",
      sentence:
        "\(place): the curvature is \(Wording.number(mostNegative)) along one direction, and no "
        + "positive learning rate is stable there; descent leaves along it, as it should. A single "
        + "condition number would mean nothing." + rest,
      evidence: [
        "mostNegative": .number(mostNegative), "largest": .number(largest),
        "gaussNewtonConditionNumber": .number(orMissing: gaussNewtonConditionNumber),
      ])
  }

  /// Directions along which the loss does not change.
  ///
  /// - Parameters:
  ///   - count: how many; nil where only the existence is known.
  ///   - gradientShare: the part of `||g||^2` in them.
  ///   - reason: why, where known: "a column is constant", "the classes share one shift".
  public static func flatDirections(
    count: Int?, parameters: Int, gradientShare: Double, reason: String? = nil
  ) -> Finding {
    let evidence: Evidence = [
      "count": .integer(orMissing: count), "parameters": .integer(parameters),
      "gradientShare": .number(gradientShare), "reason": reason.map { .text($0) } ?? .missing,
    ]
    if count == parameters {
      return Finding(
        id: "flat-directions",
        sentence: "Every direction is flat\(reason.map { " (\($0))" } ?? ""): "
          + (gradientShare > 0
            ? "the loss is a slope without a bottom as far as the arithmetic can tell, and descent goes "
              + "down it without end, at any rate."
            : "descent does not move."),
        evidence: evidence)
    }
    let number =
      count.map { "\($0) of \(parameters) directions \($0 == 1 ? "is" : "are")" }
      ?? "Some directions are"
    let effect =
      gradientShare > 1e-12
      ? "\(Wording.number(gradientShare * 100)) % of the squared gradient points along them, a slope "
        + "that never ends on a quadratic."
      : "Descent does not move along them."
    return Finding(
      id: "flat-directions",
      sentence:
        "\(number) flat\(reason.map { " (\($0))" } ?? ""): the curvature there is zero to rounding, "
        + "and only the others count for condition numbers. \(effect)",
      evidence: evidence)
  }

  /// The loss has no minimum at any finite point, as when a line separates the classes.
  ///
  /// - Parameter isMendedByPenalty: whether a penalty on the weights gives it one; else classes without
  ///   samples have to go.
  public static func noFiniteMinimum(
    reason: String, isMendedByPenalty: Bool = true
  ) -> Finding {
    let remedy =
      isMendedByPenalty
      ? "A penalty such as --l2 1e-3 gives it a minimum."
      : "Leave such classes out: a penalty on the weights does not mend it."
    return Finding(
      id: "no-finite-minimum",
      sentence:
        "The loss has no minimum at finite parameters (\(reason)): they grow for ever while the "
        + "loss creeps towards its infimum. \(remedy)",
      evidence: [
        "reason": .text(reason), "remedy": .text(isMendedByPenalty ? "penalty" : "leave-out"),
      ])
  }

  /// What made a number infinite or NaN.
  public enum NonFiniteCause: Sendable, Equatable {
    /// Training did, by this step.
    case training(step: Int)
    /// The parameter tensor of this name holds one before any training.
    case parameter(String)
    /// A data array (from 0) holds one in a sample (from 0).
    case data(array: Int, sample: Int)
    /// It arose from finite numbers; the remedy is to be read as a sentence without its full stop.
    case arithmetic(remedy: String)
  }

  /// A loss, gradient or curvature that is not a number, and what to do about its cause.
  public static func nonFinite(quantity: String, cause: NonFiniteCause) -> Finding {
    var step: Int?
    let rest: String
    switch cause {
    case .training(let broken):
      step = broken
      rest =
        " after \(Wording.count(broken, "step")). Lower the learning rate, or measure before that step "
        + "with --at."
    case .parameter(let name):
      rest =
        " at the start, since the parameter \(name) holds NaN or an infinity before any training: give "
        + "the model finite parameters."
    case .data(let array, let sample):
      rest =
        " at the start, since data array \(array) holds NaN or an infinity in sample \(sample) (both "
        + "counted from 0): remove it or fill it in."
    case .arithmetic(let remedy):
      rest =
        " at the start, where parameters and data are finite: the numbers in between overflow, or leave "
        + "what a logarithm, a root or a quotient is defined for. "
        + "\(remedy)."
    }
    return Finding(
      id: "non-finite", sentence: "The \(quantity) is infinite or not a number\(rest)",
      evidence: ["quantity": .text(quantity), "step": .integer(orMissing: step)])
  }

  /// Eigenvalues below what the arithmetic can tell from zero.
  public static func unresolvedEigenvalue(
    precision: String, resolvable: Double, largest: Double
  ) -> Finding {
    Finding(
      id: "precision-too-low",
      sentence:
        "In \(precision) an eigenvalue below \(Wording.number(resolvable)) cannot be told from zero "
        + "(\(Wording.number(resolvable / largest)) of the largest), so the smallest ones are not "
        + "known"
        + (precision == "float64" ? "." : "; use --precision float64 to see further."),
      evidence: [
        "precision": .text(precision), "resolvable": .number(resolvable),
        "relative": .number(resolvable / largest),
      ])
  }

  /// Rounded to float32, the table has another flattest direction.
  ///
  /// - Parameters:
  ///   - flattest: the smallest curvature above zero with the columns rounded.
  ///   - flattestOfTable: the same with the columns as they were given.
  ///   - flat: directions without curvature, with the columns rounded.
  public static func roundedTable(
    flattest: Double, flattestOfTable: Double, flat: Int, flatOfTable: Int
  ) -> Finding {
    Finding(
      id: "rounded-table",
      sentence:
        "The columns rounded to float32 make another bowl: its flattest curvature above zero is "
        + "\(Wording.number(flattest)) with \(Wording.count(flat, "flat direction")); of the table as "
        + "given it is \(Wording.number(flattestOfTable)) with \(flatOfTable). What is said here holds for "
        + "the rounded columns; use --precision float64 for the others.",
      evidence: [
        "flattest": .number(flattest), "flattestOfTable": .number(flattestOfTable),
        "flat": .integer(flat), "flatOfTable": .integer(flatOfTable),
      ])
  }

  /// The layer whose parameters alone are at least twice as sharp as those of any other; nil where none is.
  public static func sharpestLayer(_ layers: [LayerCurvature], whole: Double) -> Finding? {
    let order = layers.sorted { $0.sharpness > $1.sharpness }
    guard order.count >= 2, order[0].sharpness >= 2 * max(order[1].sharpness, 0), whole > 0,
      order[0].sharpness >= 0.5 * whole
    else { return nil }
    return Finding(
      id: "sharpest-layer",
      sentence:
        "\(order[0].layer) sets the limit: by itself it has a sharpness of "
        + "\(Wording.number(order[0].sharpness)), against \(Wording.number(whole)) of the whole and "
        + "\(Wording.number(order[1].sharpness)) of \(order[1].layer), the next.",
      evidence: [
        "layer": .text(order[0].layer), "sharpness": .number(order[0].sharpness),
        "whole": .number(whole), "next": .text(order[1].layer),
        "nextSharpness": .number(order[1].sharpness),
      ])
  }
}
