import Curvature
import Foundation
import KnownLosses
import LinearMaps
import TensorPrograms
import Testing
import Training

/// Newton-CG to each of its ends.
@Suite struct NewtonCGTests {
  /// A loss of one number by closures.
  private func scalar(
    _ value: @escaping @Sendable (Double) -> Double,
    _ slope: @escaping @Sendable (Double) -> Double,
    _ curvature: @escaping @Sendable (Double) -> Double, context: RunContext = RunContext()
  ) -> ClosureLoss<Double> {
    ClosureLoss(
      LossClosures(
        parameters: [.init("x", [1])], value: { value($0[0]) },
        valueAndGradient: { (value($0[0]), [slope($0[0])]) },
        hessianProduct: { [curvature($0[0]) * $1[0]] }), context: context)
  }

  private func isFalling(_ run: NewtonCG<Double>) -> Bool {
    zip(run.path, run.path.dropFirst()).allSatisfy { $0.loss >= $1.loss }
  }

  @Test func convergesOnRosenbrock() throws {
    let loss = ClosureLoss<Double>(Rosenbrock.closures)
    let run = try NewtonCG(
      minimizing: loss, from: Rosenbrock.start, relativeGap: { Rosenbrock.value($0) / 24.2 })
    #expect(run.ending == .converged)
    #expect(relativeDistance(run.parameters, [1, 1]) < 1e-6)
    #expect(abs(run.path[0].loss - 24.2) < 1e-13)
    #expect(abs(run.path[0].gradientNorm - norm([-215.6, -88])) < 1e-10)
    #expect(isFalling(run) && run.path.last!.loss < 1e-12)
    #expect(run.path.allSatisfy { abs($0.relativeGap! - $0.loss / 24.2) < 1e-15 })
    #expect(zip(run.path, run.path.dropFirst()).allSatisfy { $0.operations < $1.operations })
    // One gradient at each point asked about, and a product counted as two.
    let unit = Rosenbrock.closures.gradientOperations
    #expect(run.path.last!.operations == loss.operations)
    #expect(run.hessianProducts >= run.path.count - 1)
    let gradients = loss.operations / unit - 2 * Double(run.hessianProducts)
    #expect(gradients == gradients.rounded() && gradients >= Double(run.path.count))
  }

  /// A quadratic is solved by its first step where CG is asked to.
  @Test(arguments: [nil, [1e-3, 1, 40.0]])
  func solvesAQuadraticAtOnce(_ diagonal: [Double]?) throws {
    let loss: Objective<Double> = try quadratic([1e-3, 1, 40])
    let run = try NewtonCG(
      minimizing: loss, from: [5, -2, 1], diagonal: diagonal, forcing: 1e-12)
    #expect(run.ending == .converged && run.path.count <= 3)
    #expect(run.path[1].loss < 1e-20 * run.path[0].loss)
    // Divided by its own diagonal, the matrix is the identity: one product for each step.
    if diagonal != nil { #expect(run.hessianProducts <= 2 * (run.path.count - 1)) }
  }

  @Test func convergesInFloat32() throws {
    let loss = ClosureLoss<Float>(Rosenbrock.closures)
    let run = try NewtonCG(minimizing: loss, from: Rosenbrock.start.map { Float($0) })
    #expect(run.ending == .converged)
    #expect(relativeDistance(run.parameters.map { Double($0) }, [1, 1]) < 1e-3)
  }

  /// From between two minima, along the negative curvature.
  @Test func leavesAMaximum() throws {
    let loss = scalar(
      { $0 * $0 * $0 * $0 / 4 - $0 * $0 / 2 }, { $0 * $0 * $0 - $0 }, { 3 * $0 * $0 - 1 })
    let run = try NewtonCG(minimizing: loss, from: [0.1])
    #expect(run.ending == .converged && abs(run.parameters[0] - 1) < 1e-6)
    let still = try NewtonCG(minimizing: loss, from: [1])
    #expect(still.ending == .converged && still.path.count == 1 && still.hessianProducts == 0)
  }

  @Test func thereIsNoMinimum() throws {
    let loss = scalar({ log1p(exp(-$0)) }, { -1 / (1 + exp($0)) }, { 1 / (2 + exp($0) + exp(-$0)) })
    let run = try NewtonCG(minimizing: loss, from: [0])
    #expect(run.ending == .noFiniteMinimum)
    #expect(isFalling(run) && run.parameters[0] > 10 && run.path.last!.loss < 1e-10)
  }

  @Test func endsAtItsBudget() throws {
    let loss = ClosureLoss<Double>(Rosenbrock.closures)
    let two = try NewtonCG(minimizing: loss, from: Rosenbrock.start, maxSteps: 2)
    #expect(two.ending == .budget && two.path.count == 3)
    let spent = two.path[1].operations
    let again = ClosureLoss<Double>(Rosenbrock.closures)
    let one = try NewtonCG(minimizing: again, from: Rosenbrock.start, maxOperations: spent)
    #expect(one.ending == .budget && one.path.count == 2)
    let none = try NewtonCG(minimizing: again, from: Rosenbrock.start, maxOperations: 1)
    #expect(none.ending == .budget && none.path.count == 1)
    #expect(none.parameters == Rosenbrock.start)
  }

  /// A gradient that points the wrong way: nothing along the direction lowers the loss.
  @Test func stalls() throws {
    let loss = scalar({ 1 + $0 * $0 }, { -2 * $0 }, { _ in 2 })
    let run = try NewtonCG(minimizing: loss, from: [1])
    #expect(run.ending == .stalled && run.parameters == [1] && run.path.last!.loss == 2)
  }

  @Test func endsWhereNumbersAreNotFinite() throws {
    let value = scalar({ log($0) }, { 1 / $0 }, { -1 / ($0 * $0) })
    let atStart = try NewtonCG(minimizing: value, from: [-1])
    #expect(atStart.ending == .nonFinite && atStart.path.count == 1)
    let slope = scalar({ $0 * $0 }, { _ in .infinity }, { _ in 2 })
    #expect(try NewtonCG(minimizing: slope, from: [1]).ending == .nonFinite)
    let product = scalar({ $0 * $0 }, { 2 * $0 }, { _ in .nan })
    let run = try NewtonCG(minimizing: product, from: [1])
    #expect(run.ending == .nonFinite && run.parameters == [1])
    let traced = try Objective<Double>(
      LossDefinition(parameters: [.init("x", [1])]) { p, _ in p[0].log().sum() }, data: [],
      executor: ReferenceExecutor())
    #expect(try NewtonCG(minimizing: traced, from: [-1]).ending == .nonFinite)
  }

  @Test func endsWhereItIsCancelled() throws {
    let start = Rosenbrock.start
    let always = RunContext(isCancelled: { true })
    let atOnce = try NewtonCG(
      minimizing: ClosureLoss<Double>(Rosenbrock.closures), from: start, context: always)
    #expect(atOnce.ending == .cancelled && atOnce.parameters == start && atOnce.path.count == 1)
    // Asked within products too.
    let inProduct = try NewtonCG(
      minimizing: ClosureLoss<Double>(Rosenbrock.closures, context: always), from: start)
    #expect(inProduct.ending == .cancelled && inProduct.parameters == start)
    let traced: Objective<Double> = try quadratic([1, 2], context: always)
    #expect(try NewtonCG(minimizing: traced, from: [1, 1]).ending == .cancelled)
    let countdown = Countdown(3)
    let later = try NewtonCG(
      minimizing: ClosureLoss<Double>(Rosenbrock.closures), from: start,
      context: RunContext(isCancelled: { countdown.isOver() }))
    #expect(later.ending == .cancelled && later.path.count == 4 && isFalling(later))
  }
}

/// True from the time on that it has been asked so often.
private final class Countdown: @unchecked Sendable {
  private let lock = NSLock()
  private var left: Int

  init(_ count: Int) { left = count }

  func isOver() -> Bool {
    lock.withLock {
      left -= 1
      return left < 0
    }
  }
}
