import Foundation
import TensorPrograms

extension PINNProblem {
  /// The equations whose results are published, and the bar of solid mechanics.
  public static let all: [PINNProblem] = [
    poisson, diffusion, convection(), reaction(), wave(), bar, loadedBar,
  ]

  private typealias Axis = QuadraturePoints.Axis

  /// `u_xx + u_yy = -sin(pi x) sin(pi y)` on the unit square, `u = 0` on its boundary, by a network
  /// 2-16-16-1 (337 parameters).
  ///
  /// Reference: SciML benchmarks, "Poisson PDE Physics-Informed Neural Network (PINN) Optimizer
  /// Benchmarks"; the means and the weights 1 are those of NeuralPDE's `QuadratureTraining`, whose adaptive
  /// quadrature (absolute tolerance 1e-3) is a fixed Gauss rule here.
  public static let poisson = PINNProblem(
    name: "poisson",
    statement: "u_xx + u_yy = -sin(pi x) sin(pi y) on the unit square, u = 0 on its boundary",
    network: TanhNetwork([2, 16, 16, 1]), domain: [.gauss(20, 0...1), .gauss(20, 0...1)],
    testGrid: [.even(51, 0...1), .even(51, 0...1)],
    operation: { $0.secondDerivative(0) + $0.secondDerivative(1) },
    source: { -sin(.pi * $0[0]) * sin(.pi * $0[1]) },
    conditions: [
      Condition("x = 0", at: [.at(0), .gauss(20, 0...1)]),
      Condition("x = 1", at: [.at(1), .gauss(20, 0...1)]),
      Condition("y = 0", at: [.gauss(20, 0...1), .at(0)]),
      Condition("y = 1", at: [.gauss(20, 0...1), .at(1)]),
    ], exact: { sin(.pi * $0[0]) * sin(.pi * $0[1]) / (2 * .pi * .pi) })

  /// `u_t - u_xx = -exp(-t) (sin(pi x) - pi^2 sin(pi x))` for x in [-1, 1] and t in [0, 1], with
  /// `u(x, 0) = sin(pi x)` and `u(-1, t) = u(1, t) = 0`, by a network 2-18-18-1 (415 parameters).
  ///
  /// Reference: SciML benchmarks, "Diffusion Equation Physics-Informed Neural Network (PINN) Optimizer
  /// Benchmarks".
  public static let diffusion = PINNProblem(
    name: "diffusion",
    statement: "u_t - u_xx = -exp(-t) (sin(pi x) - pi^2 sin(pi x)) for x in [-1, 1], t in [0, 1], "
      + "u(x, 0) = sin(pi x), u(-1, t) = u(1, t) = 0",
    network: TanhNetwork([2, 18, 18, 1]), domain: [.gauss(24, -1...1), .gauss(20, 0...1)],
    testGrid: [.even(101, -1...1), .even(51, 0...1)],
    operation: { $0.derivative(1) - $0.secondDerivative(0) },
    source: { -exp(-$0[1]) * (1 - .pi * .pi) * sin(.pi * $0[0]) },
    conditions: [
      Condition("t = 0", at: [.gauss(24, -1...1), .at(0)], target: { sin(.pi * $0[0]) }),
      Condition("x = -1", at: [.at(-1), .gauss(20, 0...1)]),
      Condition("x = 1", at: [.at(1), .gauss(20, 0...1)]),
    ], exact: { exp(-$0[1]) * sin(.pi * $0[0]) })

  /// `u_t + beta u_x = 0` for x in [0, 2 pi] and t in [0, 1], `u(x, 0) = sin x`, periodic in x.
  ///
  /// Reference: Rathore et al., "Challenges in Training PINNs: A Loss Landscape Perspective",
  /// arXiv:2402.01868, appendix A; like the two that follow.
  public static func convection(beta: Double = 40, width: Int = 50) -> PINNProblem {
    evolution(
      name: "convection",
      statement: "u_t + \(Int(beta)) u_x = 0 for x in [0, 2 pi], t in [0, 1], u(x, 0) = sin x, "
        + "periodic in x",
      width: width, length: 2 * .pi, operation: { $0.derivative(1) + $0.derivative(0) * beta },
      initial: { sin($0) }, isPeriodic: true, exact: { sin($0[0] - beta * $0[1]) })
  }

  /// `u_t = rho u (1 - u)` for x in [0, 2 pi] and t in [0, 1], `u(x, 0) = exp(-8 (x - pi)^2 / pi^2)`,
  /// periodic in x.
  public static func reaction(rho: Double = 5, width: Int = 50) -> PINNProblem {
    let initial: @Sendable (Double) -> Double = { exp(-8 * ($0 - .pi) * ($0 - .pi) / (.pi * .pi)) }
    return evolution(
      name: "reaction",
      statement: "u_t = \(Int(rho)) u (1 - u) for x in [0, 2 pi], t in [0, 1], "
        + "u(x, 0) = exp(-8 (x - pi)^2 / pi^2), periodic in x",
      width: width, length: 2 * .pi,
      operation: { $0.derivative(1) - $0.value * (1 - $0.value) * rho }, initial: initial,
      isPeriodic: true,
      exact: { point in
        let grown = initial(point[0]) * exp(rho * point[1])
        return grown / (grown + 1 - initial(point[0]))
      })
  }

  /// `u_tt = 4 u_xx` for x in [0, 1] and t in [0, 1], `u(x, 0) = sin(pi x) + sin(beta pi x) / 2`,
  /// `u_t(x, 0) = 0`, `u(0, t) = u(1, t) = 0`.
  public static func wave(beta: Double = 5, width: Int = 50) -> PINNProblem {
    let initial: @Sendable (Double) -> Double = { sin(.pi * $0) + sin(beta * .pi * $0) / 2 }
    return evolution(
      name: "wave",
      statement: "u_tt = 4 u_xx for x in [0, 1], t in [0, 1], "
        + "u(x, 0) = sin(pi x) + sin(\(Int(beta)) pi x) / 2, u_t(x, 0) = 0, u(0, t) = u(1, t) = 0",
      width: width, length: 1, operation: { $0.secondDerivative(1) - $0.secondDerivative(0) * 4 },
      initial: initial, startsAtRest: true, isPeriodic: false,
      exact: { point in
        sin(.pi * point[0]) * cos(2 * .pi * point[1])
          + sin(beta * .pi * point[0]) * cos(2 * beta * .pi * point[1]) / 2
      })
  }

  /// An equation in `x` and `t`, three hidden layers of the given width, weights 1.
  private static func evolution(
    name: String, statement: String, width: Int, length: Double,
    operation: @escaping @Sendable (NetworkField) -> Traced,
    initial: @escaping @Sendable (Double) -> Double, startsAtRest: Bool = false, isPeriodic: Bool,
    exact: @escaping @Sendable ([Double]) -> Double
  ) -> PINNProblem {
    let (x, t) = (Axis.gauss(64, 0...length), Axis.gauss(64, 0...1))
    var conditions = [Condition("t = 0", at: [x, .at(0)], target: { initial($0[0]) })]
    if startsAtRest {
      conditions.append(Condition("u_t at t = 0", at: [x, .at(0)], derivative: 1))
    }
    conditions +=
      isPeriodic
      ? [Condition("periodic", at: [.at(length), t], equals: [.at(0), t])]
      : [
        Condition("x = 0", at: [.at(0), t]), Condition("x = \(Int(length))", at: [.at(length), t]),
      ]
    var problem = PINNProblem(
      name: name, statement: statement, network: TanhNetwork([2, width, width, width, 1]),
      domain: [x, t], testGrid: [.even(257, 0...length), .even(101, 0...1)], operation: operation,
      conditions: conditions, exact: exact)
    // As published; between two lines of points a network jumps from one solution to another.
    problem.drawn = 4096
    return problem
  }

  /// A bar held at both ends under a load: `-u'' = pi^2 sin(pi x)`, `u(0) = u(1) = 0`.
  public static let bar = PINNProblem(
    name: "bar", statement: "-u'' = pi^2 sin(pi x) on [0, 1], u(0) = u(1) = 0",
    network: TanhNetwork([1, 16, 16, 1]), domain: [.gauss(32, 0...1)],
    testGrid: [.even(201, 0...1)], operation: { -$0.secondDerivative(0) },
    source: { .pi * .pi * sin(.pi * $0[0]) },
    conditions: [Condition("x = 0", at: [.at(0)]), Condition("x = 1", at: [.at(1)])],
    exact: { sin(.pi * $0[0]) })

  /// A bar held at one end under a load that grows along it: `-u'' = x`, `u(0) = 0`, `u'(1) = 0`; its tip
  /// moves by 1/3.
  public static let loadedBar = PINNProblem(
    name: "loaded-bar", statement: "-u'' = x on [0, 1], u(0) = 0, u'(1) = 0",
    network: TanhNetwork([1, 16, 16, 1]), domain: [.gauss(32, 0...1)],
    testGrid: [.even(201, 0...1)], operation: { -$0.secondDerivative(0) }, source: { $0[0] },
    conditions: [
      Condition("x = 0", at: [.at(0)]), Condition("tip", at: [.at(1)], derivative: 0),
    ], exact: { $0[0] / 2 - $0[0] * $0[0] * $0[0] / 6 })
}
