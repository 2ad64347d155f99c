import Curvature

/// `f = (1 - x)^2 + 100 (y - x^2)^2` in two parameters of one number each, its derivatives written out; the
/// minimum is 0 at (1, 1).
///
/// Reference: Rosenbrock, "An automatic method for finding the greatest or least value of a function"
/// (1960), whose start is (-1.2, 1).
public enum Rosenbrock {
  public static let start = [-1.2, 1.0]

  public static func value(_ p: [Double]) -> Double {
    let bend = p[1] - p[0] * p[0]
    return (1 - p[0]) * (1 - p[0]) + 100 * bend * bend
  }

  public static func gradient(_ p: [Double]) -> [Double] {
    let bend = p[1] - p[0] * p[0]
    return [-2 * (1 - p[0]) - 400 * p[0] * bend, 200 * bend]
  }

  /// Row by row.
  public static func hessian(_ p: [Double]) -> [[Double]] {
    [[2 - 400 * (p[1] - 3 * p[0] * p[0]), -400 * p[0]], [-400 * p[0], 200]]
  }

  /// Both eigenvalues, the larger first.
  public static func eigenvalues(_ p: [Double]) -> [Double] {
    let h = hessian(p)
    let mean = (h[0][0] + h[1][1]) / 2
    let half = (h[0][0] - h[1][1]) / 2
    let reach = (half * half + h[0][1] * h[0][1]).squareRoot()
    return [mean + reach, mean - reach]
  }

  public static var closures: LossClosures {
    LossClosures(
      parameters: [.init("x", [1]), .init("y", [1])], value: value,
      valueAndGradient: { (value($0), gradient($0)) },
      hessianProduct: { point, v in hessian(point).map { $0[0] * v[0] + $0[1] * v[1] } })
  }
}
