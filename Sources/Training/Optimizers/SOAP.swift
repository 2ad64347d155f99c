import Curvature
import LinearMaps
import TensorPrograms

/// SOAP: Adam in the eigenbasis of Shampoo's matrices. For each axis of a weight of two axes or more,
/// `L <- b L + (1 - b) G G'` over its other axes, and `Q` the eigenvectors of `L`, renewed every so many steps;
/// with `G~` the gradient in all bases, `m <- b1 m + (1 - b1) G`, `v <- b2 v + (1 - b2) G~^2`, and the step is
/// `m~ / (sqrt(v) + eps)` turned back. What has one axis goes by Adam.
///
/// The first step gathers `L` alone and moves nothing, so that no gradient is seen in a basis made of
/// itself. A renewal orders `v` by the curvature along each vector, so that each keeps its place.
///
/// Reference: Vyas et al., "SOAP: Improving and Stabilizing Shampoo using Adam", arXiv:2409.11321, algorithm
/// 3, with all eigenvectors by LAPACK in the place of one step of a power iteration; defaults of the
/// authors' `SOAP`.
public struct SOAP: Optimizer {
  public static let entry = OptimizerEntry(
    "soap", formula: "m, v <- moving means in the eigenbasis of G G', G' G; x <- x - rate adam",
    hyperparameters: [
      .beta1(0.95), .beta2(0.95), .epsilon(),
      Hyperparameter(
        "shampoo-beta", 0.95, .from(0, below: 1), "the share of the matrices that a step keeps"),
      Hyperparameter("every", 10, .count(from: 1), "steps between two renewals of the bases"),
      Hyperparameter(
        "largest-axis", 10_000, .count(from: 1), "axes longer than this keep their basis"),
      .weightDecay(0.01),
    ]
  ) {
    SOAP(
      beta1: $0["beta1"]!, beta2: $0["beta2"]!, epsilon: $0["epsilon"]!,
      shampooBeta: $0["shampoo-beta"]!, every: Int($0["every"]!),
      largestAxis: Int($0["largest-axis"]!), decay: $0["weight-decay"]!)
  }

  public let name = "soap"
  public let phrase = "SOAP"
  private let means: AdamMeans
  public let shampooBeta: Double
  public let every: Int
  public let largestAxis: Int
  public let decay: Double

  public init(
    beta1: Double = 0.95, beta2: Double = 0.95, epsilon: Double = 1e-8, shampooBeta: Double = 0.95,
    every: Int = 10, largestAxis: Int = 10_000, decay: Double = 0.01
  ) {
    means = AdamMeans(beta1: beta1, beta2: beta2, epsilon: epsilon)
    precondition(0 <= shampooBeta && shampooBeta < 1, "shampoo-beta is outside of [0, 1)")
    precondition(every >= 1 && largestAxis >= 1 && decay >= 0, "SOAP's counts are at least 1")
    self.shampooBeta = shampooBeta
    self.every = every
    self.largestAxis = largestAxis
    self.decay = decay
  }

  public var hyperparameters: [String: Double] {
    means.hyperparameters.merging(
      [
        "shampoo-beta": shampooBeta, "every": Double(every), "largest-axis": Double(largestAxis),
        "weight-decay": decay,
      ]) { $1 }
  }

  /// Axes with a basis of their own.
  private func axes(_ parameter: LossDefinition.Parameter) -> [Int] {
    let shape = parameter.shape
    return shape.rank < 2 ? [] : (0..<shape.rank).filter { shape[$0] <= largestAxis }
  }

  /// `m` and `v` of each parameter, then `matrix` and `basis` of each of its axes, parameter by parameter.
  public func initialState(_ parameters: [LossDefinition.Parameter]) -> [StateTensor] {
    StateTensor.zeros("m", "v", like: parameters)
      + parameters.flatMap { parameter in
        axes(parameter).flatMap { axis -> [StateTensor] in
          let n = parameter.shape[axis]
          let identity = (0..<n * n).map { $0 % (n + 1) == 0 ? 1.0 : 0 }
          return [
            StateTensor("matrix", [n, n]),
            StateTensor("basis", [n, n], start: .values(identity)),
          ]
        }
      }
  }

  /// The first step moves nothing, decay included.
  public var appliesDecay: Bool { true }

  public func update(_ step: OptimizerStep) -> OptimizerUpdate {
    let counted = step.step - 1
    let moves = counted.compare(.greater, counted.scalar(0.5))
    // In the first step, which is not taken, the corrections would divide by zero.
    let safe = counted.maximum(counted.scalar(1))
    var at = 2 * step.parameters.count
    var bases: [Traced] = []
    let moved = step.eachParameter(slots: 2) { own in
      let axes = axes(own.definition)
      var (turned, rotations) = (own.gradient, [(axis: Int, basis: Traced)]())
      for axis in axes {
        let (matrix, basis) = (step.position.state[at], step.position.state[at + 1])
        at += 2
        let others = (0..<own.gradient.rank).filter { $0 != axis }
        let outer = own.gradient.dot(own.gradient, DotDimensions(contracting: others, others))
        bases += [matrix * shampooBeta + outer * (1 - shampooBeta), basis]
        rotations.append((axis, basis))
        turned = turned.turned(axis, by: basis, isBack: false)
      }
      let m = moves.select(own.mean(0, keeping: means.beta1), own.state[0])
      let v = moves.select(
        own.state[1] * means.beta2 + turned.square() * (1 - means.beta2), own.state[1])
      var mean = m
      for (axis, basis) in rotations { mean = mean.turned(axis, by: basis, isBack: false) }
      var direction = mean / (v.sqrt() + means.epsilon)
      for (axis, basis) in rotations {
        direction = direction.turned(axis, by: basis, isBack: true)
      }
      let correction =
        safe.biasCorrection(means.beta2).sqrt() / safe.biasCorrection(means.beta1)
      let rate = moves.select(own.rate, own.rate.zeros())
      let value = own.decay == 0 ? own.value : own.value - rate * (own.value * own.decay)
      return (value - rate * correction * direction, [m, v])
    }
    return OptimizerUpdate(parameters: moved.parameters, state: moved.state + bases)
  }

  public var hasBoundedSteps: Bool { true }

  public var renewalPeriod: Int? { every }

  public func renew(
    _ state: inout [[Double]], _ parameters: [LossDefinition.Parameter], step: Int
  ) {
    var at = 2 * parameters.count
    for (index, parameter) in parameters.enumerated() {
      for axis in axes(parameter) {
        defer { at += 2 }
        let n = parameter.shape[axis]
        // A matrix that is not finite leaves the basis; the run says so by its loss.
        guard let system = try? SymmetricEigensystem(columnMajor: state[at], dimension: n) else {
          continue
        }
        let order = Self.order(state[at], state[at + 1], n)
        state[parameters.count + index] = Self.reordered(
          state[parameters.count + index], parameter.shape, axis, order)
        for row in 0..<n {
          for column in 0..<n {
            state[at + 1][row * n + column] = system.vectors[(n - 1 - column) * n + row]
          }
        }
      }
    }
  }

  /// The columns of a basis by `q' L q`, the largest first.
  private static func order(_ matrix: [Double], _ basis: [Double], _ n: Int) -> [Int] {
    var along = [Double](repeating: 0, count: n)
    var product = along
    for row in 0..<n {
      for column in 0..<n { product[column] = 0 }
      for inner in 0..<n {
        let factor = matrix[row * n + inner]
        for column in 0..<n { product[column] += factor * basis[inner * n + column] }
      }
      for column in 0..<n { along[column] += basis[row * n + column] * product[column] }
    }
    return (0..<n).sorted { along[$0] != along[$1] ? along[$0] > along[$1] : $0 < $1 }
  }

  /// Row-major entries with the positions of one axis in another order.
  private static func reordered(
    _ values: [Double], _ shape: Shape, _ axis: Int, _ order: [Int]
  ) -> [Double] {
    let inner = shape.dimensions.dropFirst(axis + 1).reduce(1, *)
    let n = shape[axis]
    return values.indices.map { index in
      let (outer, rest) = index.quotientAndRemainder(dividingBy: n * inner)
      let (position, last) = rest.quotientAndRemainder(dividingBy: inner)
      return values[(outer * n + order[position]) * inner + last]
    }
  }
}

extension Traced {
  /// An axis in another basis, the columns of a matrix, or back from it.
  fileprivate func turned(_ axis: Int, by basis: Traced, isBack: Bool) -> Traced {
    dot(basis, DotDimensions(contracting: [axis], [isBack ? 1 : 0]))
      .movingAxis(rank - 1, to: axis)
  }
}
