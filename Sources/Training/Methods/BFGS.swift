import Curvature
import LinearMaps

/// BFGS with the dense inverse Hessian, for up to some thousand parameters: steps along `-H g` and a search
/// for the strong Wolfe conditions. The matrix is kept in float64 whatever the parameters are.
///
/// Reference: Nocedal and Wright, "Numerical Optimization" (2006), algorithm 6.1.
public struct BFGS: IterativeMethod {
  /// `c1`: the share of the decrease promised by the slope that a step has to bring.
  public let decrease: Double
  /// `c2`: the share of the slope that may be left; 0 for an exact search.
  public let curvature: Double
  /// Ends where no entry of the gradient is larger.
  public let tolerance: Double

  public init(decrease: Double = 1e-4, curvature: Double = 0.9, tolerance: Double = 1e-8) {
    self.decrease = decrease
    self.curvature = curvature
    self.tolerance = tolerance
  }

  public static let entry = MethodEntry(
    "bfgs", formula: "x += t d, d = -H g with the dense H of all steps; t by a strong Wolfe search",
    hyperparameters: [.decrease, .curvature(0.9), .tolerance]
  ) {
    BFGS(decrease: $0["decrease"]!, curvature: $0["curvature"]!, tolerance: $0["tolerance"]!)
  }

  public var name: String { Self.entry.name }
  public var phrase: String { "BFGS" }
  public var hyperparameters: [String: Double] {
    ["decrease": decrease, "curvature": curvature, "tolerance": tolerance]
  }

  public func start<Scalar: LinearMapScalar>(
    _ loss: any Loss<Scalar>, from start: [Scalar]
  ) throws -> any TrainingSteps<Scalar> {
    MethodRun(self, loss, from: start, tolerance: tolerance, engine: try engine(start.count))
  }

  public func resume<Scalar: LinearMapScalar>(
    _ state: TrainingState<Scalar>, of loss: any Loss<Scalar>
  ) throws -> any TrainingSteps<Scalar> {
    try MethodRun(
      self, resuming: state, of: loss, tolerance: tolerance, engine: engine(loss.parameterCount))
  }

  private func engine<Scalar>(_ n: Int) throws -> DenseEngine<Scalar> {
    try DenseEngine(
      dimension: n, search: LineSearch(decrease: decrease, curvature: curvature), name: phrase
    ) { inverse, s, y, _ in inverse.bfgs(s: s, y: y) }
  }
}

/// What BFGS and SSBroyden share: all but the update of their matrix.
struct DenseEngine<Scalar: LinearMapScalar>: MethodEngine {
  typealias Update = (inout DenseInverse, _ s: [Double], _ y: [Double], _ curvature: Double) -> Void

  /// A matrix of so many rows takes 800 MB.
  static var maxDimension: Int { 10_000 }

  let search: LineSearch<Scalar>
  private let update: Update
  private var inverse: DenseInverse

  /// - Throws: `TrainingError.tooManyParameters`.
  init(
    dimension: Int, search: LineSearch<Scalar>, name: String, update: @escaping Update
  ) throws {
    guard dimension <= Self.maxDimension else {
      throw TrainingError.tooManyParameters(name, dimension, limit: Self.maxDimension)
    }
    self.search = search
    self.update = update
    inverse = DenseInverse(dimension: dimension)
  }

  var memory: MethodMemory<Scalar> { MethodMemory(numbers: inverse.entries) }

  mutating func restore(_ memory: MethodMemory<Scalar>, on problem: CountedLoss<Scalar>) -> Bool {
    memory.vectors.isEmpty && inverse.restore(memory.numbers)
  }

  mutating func step(
    from now: inout Evaluation<Scalar>, on problem: CountedLoss<Scalar>, rate: Double
  ) throws -> StepEnding? {
    while true {
      let isFresh = inverse.isIdentity
      let gradient = now.gradient.map { Double($0) }
      let direction = inverse.product(gradient).map { Scalar(-$0) }
      let first = rate * (isFresh ? min(1, 1 / now.gradientNorm) : 1)
      switch try search.run(from: now, along: direction, first: first, on: problem) {
      case .found(let next, let step):
        let s = zip(next.point, now.point).map { Double($0) - Double($1) }
        let y = zip(next.gradient, now.gradient).map { Double($0) - Double($1) }
        let n = s.count
        let sy = Double.dot(n, s, y)
        if sy > Double(Scalar.ulpOfOne) * Double.nrm2(n, s) * Double.nrm2(n, y) {
          update(&inverse, s, y, -step * Double.dot(n, s, gradient))
        }
        now = next
        return nil
      case .failed(let failure):
        if case .unbounded = failure { return .failed(failure, now) }
        guard !isFresh else { return .failed(failure, now) }
        inverse.reset()
      }
    }
  }
}
