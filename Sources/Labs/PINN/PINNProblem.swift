import Curvature
import LinearMaps
import TensorPrograms

/// A differential equation with its exact solution, to be solved by a network.
///
/// The loss is `mean_domain (L u - f)^2 + sum_c weight_c mean_c (B_c u - g_c)^2`: a quadrature of the
/// equation's squared residual over the domain, and one of each boundary or initial condition over its part
/// of the boundary. All means are sums over fixed points with weights that add up to 1.
///
/// Reference: Raissi, Perdikaris and Karniadakis, "Physics-informed neural networks", Journal of
/// Computational Physics 378 (2019).
public struct PINNProblem: Sendable {
  /// A condition on a part of the boundary: `B u(x) - B u(x') = g(x)`, the second term only where there
  /// are partner points.
  public struct Condition: Sendable {
    public var name: String
    public var weight = 1.0
    /// Where it holds, one rule per coordinate.
    public var axes: [QuadraturePoints.Axis]
    /// The partner points of a periodic condition, as many.
    public var partners: [QuadraturePoints.Axis]?
    /// `B u`: the value, or the derivative along this axis.
    public var derivative: Int?
    /// `g`.
    public var target: @Sendable ([Double]) -> Double

    public init(
      _ name: String, at axes: [QuadraturePoints.Axis],
      equals partners: [QuadraturePoints.Axis]? = nil,
      derivative: Int? = nil, weight: Double = 1,
      target: @escaping @Sendable ([Double]) -> Double = { _ in 0 }
    ) {
      self.name = name
      self.axes = axes
      self.partners = partners
      self.derivative = derivative
      self.weight = weight
      self.target = target
    }
  }

  public let name: String
  /// The equation with its domain and conditions, for people.
  public let statement: String
  public var network: TanhNetwork
  /// The domain's quadrature, one rule per coordinate.
  public var domain: [QuadraturePoints.Axis]
  /// How many points are drawn from the domain in place of the product of the rules; nil for that.
  public var drawn: Int?
  /// Draws them.
  public var seed: UInt64 = 0
  /// Evenly spaced points per coordinate on which the solution's error is taken.
  public var testGrid: [QuadraturePoints.Axis]
  /// `L u`.
  public let operation: @Sendable (NetworkField) -> Traced
  /// `f`.
  public let source: @Sendable ([Double]) -> Double
  public var conditions: [Condition]
  public let exact: @Sendable ([Double]) -> Double

  public init(
    name: String, statement: String, network: TanhNetwork, domain: [QuadraturePoints.Axis],
    testGrid: [QuadraturePoints.Axis], operation: @escaping @Sendable (NetworkField) -> Traced,
    source: @escaping @Sendable ([Double]) -> Double = { _ in 0 }, conditions: [Condition],
    exact: @escaping @Sendable ([Double]) -> Double
  ) {
    self.name = name
    self.statement = statement
    self.network = network
    self.domain = domain
    self.testGrid = testGrid
    self.operation = operation
    self.source = source
    self.conditions = conditions
    self.exact = exact
  }

  public var parameterCount: Int { network.parameterCount }

  /// The same equation with `factor` times the points along each axis.
  ///
  /// - Parameter seed: draws the points where they are drawn; nil for the problem's own, whose points are
  ///   the first of the more. To see what the loss is where nobody fitted it, take another.
  public func refined(_ factor: Int, seed: UInt64? = nil) -> PINNProblem {
    var problem = self
    problem.seed = seed ?? self.seed
    problem.domain = domain.map { $0.refined(factor) }
    problem.drawn = drawn.map { domain.reduce($0) { count, _ in count * factor } }
    problem.conditions = conditions.map { condition in
      var condition = condition
      condition.axes = condition.axes.map { $0.refined(factor) }
      condition.partners = condition.partners?.map { $0.refined(factor) }
      return condition
    }
    return problem
  }

  /// The points of the domain that the loss is taken on.
  public var domainPoints: QuadraturePoints {
    drawn.map { QuadraturePoints(drawn: $0, from: domain.map(\.interval), seed: seed) }
      ?? QuadraturePoints(domain)
  }

  // MARK: The loss

  /// One sample per point of the domain: its coordinates `[n, d]`, `f` there, and the root of `n` times its
  /// weight.
  public func data(_ element: ElementType) -> [Tensor] {
    let domain = domainPoints
    let count = domain.points.count
    func tensor(_ values: [Double], _ shape: Shape) -> Tensor {
      Tensor(values, type: TensorType(element, shape))
    }
    return [
      tensor(domain.points.flatMap { $0 }, [count, self.domain.count]),
      tensor(domain.points.map(source), [count]),
      tensor(domain.weights.map { (Double(count) * $0).squareRoot() }, [count]),
    ]
  }

  /// The loss of the network's parameters, a mean over the points of the domain plus the conditions, which
  /// are part of each batch. Its model's outputs are the residuals, so that it has a Gauss-Newton matrix.
  public var definition: LossDefinition {
    let rows = conditions.map { QuadraturePoints($0.axes).points.count }.reduce(0, +)
    return LossDefinition(
      parameters: network.parameters,
      model: { parameters, data in
        let field = self.field(parameters, at: data[0])
        let residuals = (self.operation(field) - data[1]) * data[2]
        return .concatenate(
          [residuals] + self.conditions.map { self.residuals($0, parameters) }, axis: 0)
      },
      loss: { outputs, data in
        let count = outputs.shape[0] - rows
        let parts = outputs.square().split(sizes: [count, rows], axis: 0)
        return parts[0].sum() * (1 / Double(count)) + parts[1].sum()
      })
  }

  func field(_ parameters: [Traced], at points: Traced) -> NetworkField {
    NetworkField(
      network: network.program(points: points.shape[0], points.element), parameters: parameters,
      points: points)
  }

  /// A condition's residuals, each times the root of its weight.
  private func residuals(_ condition: Condition, _ parameters: [Traced]) -> Traced {
    let (builder, element) = (parameters[0].builder, parameters[0].element)
    func constant(_ values: [Double], _ shape: Shape) -> Traced {
      builder.constant(Tensor(values, type: TensorType(element, shape)))
    }
    func value(_ points: QuadraturePoints) -> Traced {
      let here = field(
        parameters,
        at: constant(points.points.flatMap { $0 }, [points.points.count, domain.count]))
      return condition.derivative.map { here.derivative($0) } ?? here.value
    }
    let points = QuadraturePoints(condition.axes)
    let roots = points.weights.map { (condition.weight * $0).squareRoot() }
    var residual = value(points) - constant(points.points.map(condition.target), [roots.count])
    if let partners = condition.partners { residual = residual - value(QuadraturePoints(partners)) }
    return residual * constant(roots, [roots.count])
  }

  /// The loss over all points.
  ///
  /// - Throws: what the executor throws on compiling.
  public func objective<Scalar: LinearMapScalar>(
    _ executor: any Executor, context: RunContext = RunContext()
  ) throws -> Objective<Scalar> {
    try Objective(
      definition, data: data(Scalar.element), executor: executor, context: context)
  }

  /// Where training starts: weights uniform within `sqrt(6 / (in + out))` of 0, biases 0.
  ///
  /// Reference: Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural
  /// networks" (2010), formula 16.
  public func start<Scalar: LinearMapScalar>(seed: UInt64) -> [Scalar] {
    var generator = SeededGenerator(seed: seed)
    return network.parameters.flatMap { parameter -> [Scalar] in
      guard !parameter.isBias else {
        return [Scalar](repeating: 0, count: parameter.shape.count)
      }
      let bound = (6 / Double(parameter.shape[0] + parameter.shape[1])).squareRoot()
      return (0..<parameter.shape.count).map { _ in
        Scalar(bound * (2 * generator.nextUniform() - 1))
      }
    }
  }
}
