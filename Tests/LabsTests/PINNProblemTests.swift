import Curvature
import Foundation
import Labs
import LinearMaps
import OnnxBackend
import TensorPrograms
import Testing

/// The equations: their exact solutions, their derivatives, their losses against another program's.
@Suite struct PINNProblemTests {
  /// Name; loss and relative error at `0.5 sin(1.7 i + 0.3)`; loss at the start of seed 1: NumPy's, by
  /// `Benchmarks/peers/pinn_scipy.py goldens`.
  static let goldens: [(String, Double, Double, Double)] = [
    ("poisson", 6.422283918598388e+00, 4.934719766632134e+01, 7.501513017228657e-01),
    ("diffusion", 3.352585867678041e+01, 4.814429509039869e+00, 1.778113420004269e+01),
    ("convection", 3.511059178326745e+01, 8.377954109767998e+00, 2.100976363044378e+01),
    ("reaction", 4.100302742941604e+04, 9.521269189642389e+00, 1.879049306563486e+01),
    ("wave", 1.125312377742428e+02, 1.054319492453716e+01, 9.489921917886882e-01),
    ("bar", 5.312505847257167e+01, 2.931536165986516e+00, 4.903468054781401e+01),
    ("loaded-bar", 3.446704569577653e+00, 6.945616123252394e+00, 3.663700216958459e-01),
  ]

  static func problem(_ name: String) throws -> PINNProblem {
    try #require(PINNProblem.all.first { $0.name == name })
  }

  static func fixedWeights(_ problem: PINNProblem) -> [Double] {
    (0..<problem.parameterCount).map { 0.5 * sin(1.7 * Double($0) + 0.3) }
  }

  @Test func `the loss is another program's`() throws {
    let executor = try OnnxExecutor()
    #expect(Self.goldens.map(\.0) == PINNProblem.all.map(\.name))
    for (name, loss, error, atStart) in Self.goldens {
      let problem = try Self.problem(name)
      let objective: Objective<Double> = try problem.objective(executor)
      let weights = Self.fixedWeights(problem)
      #expect(abs(try objective.value(at: weights) - loss) < 1e-11 * loss, "\(name)")
      #expect(
        abs(try objective.value(at: problem.start(seed: 1)) - atStart) < 1e-11 * atStart, "\(name)")
      let solution = try PINNSolution(problem, executor)
      #expect(abs(try solution.relativeError(weights) - error) < 1e-11 * error, "\(name)")
    }
  }

  @Test func `sizes are the published ones`() throws {
    #expect(PINNProblem.poisson.parameterCount == 337)
    #expect(PINNProblem.diffusion.parameterCount == 415)
    for problem in PINNProblem.all {
      #expect(problem.parameterCount == problem.definition.parameterCount)
    }
  }

  /// The exact solution put in place of the network: derivatives by central differences of its formula.
  @Test(arguments: PINNProblem.all.map(\.name))
  func `the exact solution solves the equation`(name: String) throws {
    let problem = try Self.problem(name)
    let h = 1e-3
    func derivative(_ axis: Int, _ order: Int, _ x: [Double]) -> Double {
      func at(_ steps: Double) -> Double {
        var moved = x
        moved[axis] += steps * h
        return problem.exact(moved)
      }
      return order == 1
        ? (8 * (at(1) - at(-1)) - (at(2) - at(-2))) / (12 * h)
        : (16 * (at(1) + at(-1)) - (at(2) + at(-2)) - 30 * at(0)) / (12 * h * h)
    }
    /// `L u - f` with the same equation in plain numbers.
    func residual(_ x: [Double]) -> Double {
      switch name {
      case "poisson": derivative(0, 2, x) + derivative(1, 2, x) - problem.source(x)
      case "diffusion": derivative(1, 1, x) - derivative(0, 2, x) - problem.source(x)
      case "convection": derivative(1, 1, x) + 40 * derivative(0, 1, x) - problem.source(x)
      case "reaction": derivative(1, 1, x) - 5 * problem.exact(x) * (1 - problem.exact(x))
      case "wave": derivative(1, 2, x) - 4 * derivative(0, 2, x)
      default: -derivative(0, 2, x) - problem.source(x)
      }
    }
    for point in problem.domainPoints.points.enumerated()
    where point.offset % 17 == 0 {
      #expect(abs(residual(point.element)) < 2e-4, "\(name) at \(point.element)")
    }
    for condition in problem.conditions {
      let points = QuadraturePoints(condition.axes).points
      let partners = condition.partners.map { QuadraturePoints($0).points }
      for (index, point) in points.enumerated() {
        let value = condition.derivative.map { derivative($0, 1, point) } ?? problem.exact(point)
        let other = partners.map { problem.exact($0[index]) } ?? 0
        // The bump of the reaction is periodic only to its own tail, exp(-8), which grows with time.
        #expect(
          abs(value - other - condition.target(point)) < 1e-8, "\(name), \(condition.name)")
      }
    }
  }

  /// A network of one hidden neuron, whose derivatives are written out: `v tanh(w.x + b) + c`.
  @Test func `derivatives in the inputs are those written out`() throws {
    let network = TanhNetwork([2, 1, 1])
    let problem = PINNProblem(
      name: "probe", statement: "", network: network,
      domain: [.gauss(3, 0...1), .gauss(4, -1...1)], testGrid: [.even(2, 0...1), .even(2, 0...1)],
      operation: { $0.secondDerivative(0) + $0.derivative(1) * 3 + $0.secondDerivative(1) * 5 },
      source: { $0[0] - $0[1] }, conditions: [], exact: { _ in 1 })
    let objective: Objective<Double> = try problem.objective(ReferenceExecutor())
    let (w, b, v, c) = ([0.7, -1.3], 0.2, 1.9, 0.4)
    let points = QuadraturePoints(problem.domain)
    var expected = 0.0
    for (x, weight) in zip(points.points, points.weights) {
      let t = tanh(w[0] * x[0] + w[1] * x[1] + b)
      let (first, second) = (1 - t * t, -2 * t * (1 - t * t))
      let residual =
        v * (second * w[0] * w[0] + 3 * first * w[1] + 5 * second * w[1] * w[1]) - (x[0] - x[1])
      expected += weight * residual * residual
    }
    let loss = try objective.value(at: [w[0], w[1], b, v, c])
    #expect(abs(loss - expected) < 1e-13 * expected)
  }

  @Test(arguments: ["poisson", "diffusion", "loaded-bar"])
  func `gradients agree with differences`(name: String) throws {
    let problem = try Self.problem(name)
    let objective: Objective<Double> = try problem.objective(try OnnxExecutor())
    let weights = Self.fixedWeights(problem)
    let (_, gradient) = try objective.valueAndGradient(at: weights)
    let size = gradient.map(abs).max() ?? 0
    for index in stride(from: 0, to: weights.count, by: weights.count / 12) {
      func at(_ step: Double) throws -> Double {
        var moved = weights
        moved[index] += step
        return try objective.value(at: moved)
      }
      let h = 1e-4
      let slope = try (8 * (at(h) - at(-h)) - (at(2 * h) - at(-2 * h))) / (12 * h)
      #expect(abs(slope - gradient[index]) < 1e-9 * size, "\(name), \(index)")
    }
  }

  /// `J'J` from the residuals' own differences: the loss is a sum of squares of the model's outputs.
  @Test func `the Gauss-Newton matrix is that of the residuals`() throws {
    let problem = PINNProblem.loadedBar
    let objective: Objective<Double> = try problem.objective(try OnnxExecutor())
    let weights = Self.fixedWeights(problem)
    let map = try #require(try objective.gaussNewton(at: weights))
    let direction = (0..<weights.count).map { cos(2.3 * Double($0)) }
    let product = try map(direction)
    let types = problem.definition.parameters.map { TensorType.init(.float64, $0.shape) }
    let data = problem.data(.float64)
    let model = try ReferenceExecutor().compile(
      Program.trace(types + data.map(\.type)) { arguments in
        let split = types.count
        return [
          problem.definition.composite!.model(
            Array(arguments.prefix(split)), Array(arguments.dropFirst(split)))
        ]
      })
    func outputs(_ step: Double) throws -> [Double] {
      var offset = 0
      let parameters = types.map { type -> Argument in
        defer { offset += type.shape.count }
        let range = offset..<offset + type.shape.count
        return .tensor(
          Tensor(range.map { weights[$0] + step * direction[$0] }, type: type))
      }
      return try model.run(parameters + data.map { .tensor($0) }, into: [.tensor])[0].tensor()
        .doubles
    }
    let h = 1e-4
    let (plus, minus) = (try outputs(h), try outputs(-h))
    let slopes = zip(plus, minus).map { ($0 - $1) / (2 * h) }
    let count = Double(data[0].shape[0])
    // d'Gd = sum of squared slopes, weighted as the loss weights its residuals.
    let expected = slopes.enumerated().reduce(0.0) {
      $0 + 2 * $1.element * $1.element * (Double($1.offset) < count ? 1 / count : 1)
    }
    let curvature = zip(direction, product).reduce(0.0) { $0 + $1.0 * $1.1 }
    #expect(abs(curvature - expected) < 1e-6 * expected)
  }

  @Test func `parts of the points make up the loss`() throws {
    let problem = PINNProblem.diffusion
    let executor = try OnnxExecutor()
    let whole: Objective<Double> = try problem.objective(executor)
    let parts = try Objective<Double>(
      problem.definition, data: problem.data(.float64), executor: executor, maxBatchSize: 70)
    let weights = Self.fixedWeights(problem)
    let (a, b) = (try whole.valueAndGradient(at: weights), try parts.valueAndGradient(at: weights))
    #expect(abs(a.value - b.value) < 1e-12 * a.value)
    #expect(zip(a.gradient, b.gradient).allSatisfy { abs($0 - $1) < 1e-10 * (1 + abs($0)) })
  }

  @Test func `quadrature is exact for polynomials and finer grids agree`() throws {
    for count in [1, 2, 5, 20] {
      let rule = GaussLegendre(count, on: -1...3)
      #expect(abs(rule.weights.reduce(0, +) - 1) < 1e-14)
      for degree in 0..<min(2 * count, 12) {
        let mean = zip(rule.nodes, rule.weights).reduce(0.0) {
          $0 + $1.1 * pow($1.0, Double(degree))
        }
        let power = Double(degree + 1)
        let exact = (pow(3, power) - pow(-1, power)) / (4 * power)
        #expect(abs(mean - exact) < 1e-13 * max(1, abs(exact)), "\(count), \(degree)")
      }
    }
    let drawn = QuadraturePoints(drawn: 4096, from: [0...2, -1...1], seed: 0)
    let mean = zip(drawn.points, drawn.weights).reduce(0.0) {
      $0 + $1.1 * exp($1.0[0]) * cos($1.0[1])
    }
    // The standard deviation of the integrand is about 1.6.
    #expect(abs(mean - (exp(2) - 1) / 2 * sin(1)) < 3 * 1.6 / 64)
    #expect(drawn.points.allSatisfy { (0...2).contains($0[0]) && (-1...1).contains($0[1]) })
    let executor = try OnnxExecutor()
    let weights = Self.fixedWeights(.bar)
    let coarse: Objective<Double> = try PINNProblem.bar.objective(executor)
    let fine: Objective<Double> = try PINNProblem.bar.refined(2).objective(executor)
    let (a, b) = (try coarse.value(at: weights), try fine.value(at: weights))
    #expect(abs(a - b) < 1e-9 * a)
  }
}
