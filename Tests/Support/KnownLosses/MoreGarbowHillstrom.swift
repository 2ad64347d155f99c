import Curvature
import TensorPrograms

/// The 35 test problems of More, Garbow and Hillstrom: sums of squares `f = sum_i r_i(x)^2` of one parameter
/// `x` with the usual start, their residuals traced; the sizes are those of `Scripts/mgh-scipy.py`.
///
/// Reference: More, Garbow and Hillstrom, "Testing unconstrained optimization software", ACM Transactions
/// on Mathematical Software 7 (1981).
public struct MoreGarbowHillstrom: Sendable {
  public let name: String
  public let start: [Double]
  let residuals: @Sendable (Point) -> Traced

  init(_ name: String, _ start: [Double], _ residuals: @escaping @Sendable (Point) -> Traced) {
    self.name = name
    self.start = start
    self.residuals = residuals
  }

  public var definition: LossDefinition {
    LossDefinition(
      parameters: [.init("x", Shape([start.count]))], model: { p, _ in residuals(Point(x: p[0])) },
      loss: { outputs, _ in outputs.square().sum() })
  }

  /// What residuals are written in.
  struct Point {
    let x: Traced

    var n: Int { x.shape[0] }

    /// The entry `x_j`, `j` from 1 as in the paper, of shape `[1]`.
    subscript(_ j: Int) -> Traced { x.slice(axis: 0, j - 1..<j) }

    /// The entries `x_a ... x_b`.
    subscript(_ range: ClosedRange<Int>) -> Traced {
      x.slice(axis: 0, range.lowerBound - 1..<range.upperBound)
    }

    /// The entries `x_first, x_(first + step), ...`.
    func every(_ step: Int, from first: Int) -> Traced {
      x.reshaped(Shape([n / step, step])).slice(axis: 1, first - 1..<first)
        .reshaped(Shape([n / step]))
    }

    func vector(_ values: [Double]) -> Traced {
      x.builder.constant(Tensor(values, type: TensorType(x.element, Shape([values.count]))))
    }

    /// Row by row.
    func matrix(_ rows: [[Double]]) -> Traced {
      x.builder.constant(
        Tensor(
          rows.flatMap { $0 }, type: TensorType(x.element, Shape([rows.count, rows[0].count])))
      )
    }

    func product(_ rows: [[Double]], _ v: Traced) -> Traced {
      (matrix(rows) * v.reshaped(Shape([1, v.shape[0]]))).sum([1])
    }

    /// `sum_j v_j`, of shape `[1]`.
    func sum(_ v: Traced) -> Traced { v.sum([0], keepingAxes: true) }

    func joined(_ parts: Traced...) -> Traced { Traced.concatenate(parts, axis: 0) }
  }

  /// The numbers `first, first + 1, ...`.
  static func count(_ n: Int, from first: Int = 1) -> [Double] {
    (0..<n).map { Double(first + $0) }
  }

  static func repeated(_ pattern: [Double], _ times: Int) -> [Double] {
    (0..<times).flatMap { _ in pattern }
  }

  public static let all: [MoreGarbowHillstrom] = small + sized

  public static func named(_ name: String) -> MoreGarbowHillstrom? { all.first { $0.name == name } }
}
