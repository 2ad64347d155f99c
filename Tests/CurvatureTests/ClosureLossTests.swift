import Curvature
import KnownLosses
import LinearMaps
import TensorPrograms
import Testing

/// Losses whose derivatives somebody else brings.
@Suite struct ClosureLossTests {
  private func loss(_ change: (inout LossClosures) -> Void = { _ in }) -> ClosureLoss<Double> {
    var closures = Rosenbrock.closures
    change(&closures)
    return ClosureLoss(closures)
  }

  @Test(arguments: [Rosenbrock.start, [1, 1], [0.3, -2]])
  func rosenbrock(_ point: [Double]) throws {
    let loss = loss()
    #expect(loss.parameterCount == 2 && loss.sampleCount == 1 && !loss.hasModelOutput)
    #expect(try loss.value(at: point) == Rosenbrock.value(point))
    let (value, gradient) = try loss.valueAndGradient(at: point)
    #expect(value == Rosenbrock.value(point) && gradient == Rosenbrock.gradient(point))
    let map = try loss.hessian(at: point)
    #expect(map.dimension == 2 && map.kind == .hessian && map.parameters == [0, 1])
    #expect(try columns(map) == Rosenbrock.hessian(point).flatMap { $0 })
    #expect(try blockColumns(map) == Rosenbrock.hessian(point).flatMap { $0 })
    // The gradient is that of the value, and the product that of the gradient.
    for (index, step) in [(0, 1e-6), (1, 1e-6)] {
      var (up, down) = (point, point)
      up[index] += step
      down[index] -= step
      let slope = (Rosenbrock.value(up) - Rosenbrock.value(down)) / (2 * step)
      #expect(abs(slope - gradient[index]) < 1e-6 * (1 + abs(slope)))
      let change = zip(Rosenbrock.gradient(up), Rosenbrock.gradient(down)).map {
        ($0 - $1) / (2 * step)
      }
      #expect(relativeDistance(change, Rosenbrock.hessian(point)[index]) < 1e-6)
    }
    #expect(try loss.gaussNewton(at: point) == nil)
    let top = try TopEigenpairs<Double>(of: map).largest
    #expect(abs(top[0].value - Rosenbrock.eigenvalues(point)[0]) < 1e-9)
  }

  @Test func eigenvaluesAtTheStart() {
    let values = Rosenbrock.eigenvalues(Rosenbrock.start)
    #expect(abs(values[0] + values[1] - 1530) < 1e-9)
    #expect(abs(values[0] * values[1] - (1330 * 200 - 480 * 480)) < 1e-6)
  }

  /// The principal submatrix in some of the parameters, of tensors of unlike length.
  @Test func blocks() throws {
    let matrix = (0..<36).map { (index: Int) -> Double in
      let (row, column) = (index / 6, index % 6)
      return Double((row + 1) * (column + 1)) + (row == column ? 7 : 0)
    }
    let product: LossClosures.Product = { _, v in
      (0..<6).map { (row: Int) -> Double in
        v.indices.reduce(0.0) { $0 + matrix[row * 6 + $1] * v[$1] }
      }
    }
    let loss = ClosureLoss<Double>(
      LossClosures(
        parameters: [.init("a", [2]), .init("b", []), .init("c", [3, 1], role: .bias)],
        value: { _ in 0 }, valueAndGradient: { (0, $0) }, hessianProduct: product,
        gaussNewtonProduct: { point, v in try product(point, v).map { 2 * $0 } }))
    let point = [1.0, 2, 3, 4, 5, 6]
    #expect(loss.parameterCount == 6 && loss.coordinates(of: [0, 2]) == [0..<2, 3..<6])
    let blocks: [([Int], [Int])] = [
      ([0], [0, 1]), ([1], [2]), ([0, 2], [0, 1, 3, 4, 5]), ([1, 2], [2, 3, 4, 5]),
    ]
    for (chosen, rows) in blocks {
      let map = try loss.curvature(.hessian, at: point, parameters: chosen)
      #expect(map.parameters == chosen && map.dimension == rows.count)
      #expect(try columns(map) == submatrix(matrix, rows, of: 6))
      let twice = try loss.curvature(.gaussNewton, at: point, parameters: chosen)
      #expect(try columns(twice) == submatrix(matrix, rows, of: 6).map { 2 * $0 })
    }
    #expect(loss.hasModelOutput)
    #expect(try loss.gaussNewton(at: point).map { try columns($0) } == matrix.map { 2 * $0 })
  }

  @Test func workIsCounted() throws {
    let loss = loss { $0.gradientOperations = 30 }
    #expect(try loss.gradientOperations() == 30 && loss.gradientWork() == 30)
    _ = try loss.value(at: [0, 0])
    #expect(loss.operations == 10)
    _ = try loss.valueAndGradient(at: [0, 0])
    #expect(loss.operations == 40)
    let map = try loss.hessian(at: [0, 0])
    #expect(try map.productOperations() == 60 && loss.operations == 40)
    _ = try map([1, 0])
    loss.count(1)
    #expect(loss.operations == 101)
    #expect(Rosenbrock.closures.gradientOperations == 12)
  }

  // MARK: Refusals

  @Test func whatClosuresLack() throws {
    for kind in CurvatureKind.allCases where kind != .hessian {
      #expect(throws: CurvatureError.noModelOutput(kind)) {
        try loss().curvature(kind, at: [0, 0])
      }
    }
  }

  @Test func wrongLengths() throws {
    let short = loss { $0.valueAndGradient = { (0, Array($0.prefix(1))) } }
    #expect(throws: CurvatureError.wrongLength("gradient", given: 1, wanted: 2)) {
      try short.valueAndGradient(at: [0, 0])
    }
    let long = loss { $0.hessianProduct = { $1 + [0] } }
    let error = CurvatureError.wrongLength("product", given: 3, wanted: 2)
    #expect(throws: error) { try long.hessian(at: [0, 0])([1, 0]) }
    #expect(
      "\(error)" == "the product has 3 numbers, but there are 2 parameters; return one for each")
  }

  @Test func numbersThatAreNotFinite() throws {
    let broken = loss { $0.hessianProduct = { [$1[0], .nan] } }
    let error = CurvatureError.nonFiniteProduct(parameter: "y", batch: 1)
    let map = try broken.hessian(at: [0, 0])
    #expect(throws: error) { try map([1, 0]) }
    #expect(throws: error) { try blockColumns(map) }
    #expect(error.isNonFinite)
    #expect(try broken.curvature(.hessian, at: [0, 0], parameters: [0])([2]) == [2])
    #expect(throws: CurvatureError.nonFinitePoint(parameter: "x")) {
      try broken.hessian(at: [.infinity, 0])([1, 0])
    }
    #expect(throws: LinearMapError.nonFiniteVector(role: "direction", index: 1)) {
      try broken.hessian(at: [0, 0])([1, .nan])
    }
    // Finite as a double, but not in the arithmetic of the map.
    var closures = Rosenbrock.closures
    closures.hessianProduct = { [1e39 * $1[0], $1[1]] }
    let single = try ClosureLoss<Float>(closures).hessian(at: [0, 0])
    #expect(throws: CurvatureError.nonFiniteProduct(parameter: "x", batch: 1)) {
      try single([1, 0])
    }
    #expect(try single([0, 1]) == [0, 1])
  }

  @Test func whatTheClosureThrows() throws {
    struct Elsewhere: Error {}
    let failing = loss {
      $0.value = { _ in throw Elsewhere() }
      $0.hessianProduct = { _, _ in throw Elsewhere() }
    }
    #expect(throws: Elsewhere.self) { try failing.value(at: [0, 0]) }
    let map = try failing.hessian(at: [0, 0])
    #expect(throws: Elsewhere.self) { try map([1, 0]) }
    let cancelled = ClosureLoss<Double>(
      Rosenbrock.closures, context: RunContext(isCancelled: { true }))
    #expect(throws: CancellationError.self) { try cancelled.hessian(at: [0, 0])([1, 0]) }
  }
}
