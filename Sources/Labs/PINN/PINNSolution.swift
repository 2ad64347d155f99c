import Curvature
import LinearMaps
import TensorPrograms

/// A trained network as the solution of its equation, beside the exact one.
public struct PINNSolution {
  private let executable: any Executable
  private let points: [[Double]]
  private let exact: [Double]
  private let shapes: [Shape]

  /// Prepared for the problem's test grid, in float64 whatever the training ran in.
  ///
  /// - Throws: what the executor throws on compiling.
  public init(_ problem: PINNProblem, _ executor: any Executor) throws {
    points = QuadraturePoints(problem.testGrid).points
    exact = points.map(problem.exact)
    shapes = problem.network.parameters.map(\.shape)
    executable = try executor.compile(
      problem.network.program(points: points.count, .float64).simplified())
  }

  /// The network's values on the test grid.
  public func values<Scalar: LinearMapScalar>(_ parameters: [Scalar]) throws -> [Double] {
    var offset = 0
    var arguments = shapes.map { shape -> Argument in
      defer { offset += shape.count }
      return .tensor(
        Tensor(parameters[offset..<offset + shape.count].map(Double.init), shape: shape))
    }
    precondition(offset == parameters.count, "\(parameters.count) numbers for \(offset) parameters")
    arguments.append(
      .tensor(Tensor(points.flatMap { $0 }, shape: [points.count, points[0].count])))
    return try executable.run(arguments, into: [.tensor])[0].tensor().doubles
  }

  /// `||u - u_exact|| / ||u_exact||` in the 2-norm over the test grid.
  public func relativeError<Scalar: LinearMapScalar>(_ parameters: [Scalar]) throws -> Double {
    let values = try values(parameters)
    var (difference, size) = (0.0, 0.0)
    for (value, exact) in zip(values, exact) {
      difference += (value - exact) * (value - exact)
      size += exact * exact
    }
    return (difference / size).squareRoot()
  }
}
