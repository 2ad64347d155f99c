import LinearMaps
import TensorPrograms

/// Which second-order matrix of a loss.
public enum CurvatureKind: String, Hashable, Sendable, Codable, CaseIterable {
  case hessian
  case gaussNewton = "gauss-newton"
}

/// The Hessian or Gauss-Newton matrix of an objective at a point, known by its products.
///
/// What does not depend on the direction is computed once and kept in the executor's memory while it
/// fits half the memory budget, else recomputed for each micro-batch of each product.
public final class CurvatureMap<Scalar: LinearMapScalar>: LinearMap {
  public let kind: CurvatureKind
  private let objective: Objective<Scalar>
  private let point: [Scalar]
  private let kept: [[Argument]]?
  private let hasRoomForBlocks: Bool
  private var scratch: [Scalar]

  /// Directions that one run of the batched program takes in a block product.
  private static var blockWidth: Int { 8 }

  init(_ objective: Objective<Scalar>, _ kind: CurvatureKind, at point: [Scalar]) throws {
    precondition(
      point.count == objective.parameterCount,
      "\(point.count) numbers for \(objective.parameterCount) parameters")
    self.objective = objective
    self.kind = kind
    self.point = point
    let bytes = try (0..<objective.batchCount).reduce(0) {
      try $0
        + objective.linearization(kind, batch: $1).residualTypes.reduce(0) { $0 + $1.byteCount }
    }
    let fits = objective.batchCount == 1 || bytes <= objective.memoryBudget / 2
    kept =
      fits
      ? try point.withUnsafeBufferPointer { point in
        try (0..<objective.batchCount).map {
          try objective.residuals(kind, batch: $0, at: point.baseAddress!)
        }
      } : nil
    let product = try objective.linearization(kind, batch: 0).linear.valueBytes
    hasRoomForBlocks = Self.blockWidth * product <= objective.memoryBudget
    scratch = objective.batchCount > 1 ? [Scalar](repeating: 0, count: point.count) : []
  }

  public var dimension: Int { point.count }

  /// Operations of one product over all samples, to be divided by `Objective.gradientOperations`.
  public func productOperations() throws -> Double {
    try (0..<objective.batchCount).reduce(0) {
      let linearization = try objective.linearization(kind, batch: $1)
      return $0 + linearization.linear.operationCount
        + (kept == nil ? linearization.primal.operationCount : 0)
    }
  }

  private func residuals(_ batch: Int) throws -> [Argument] {
    if let kept { return kept[batch] }
    return try point.withUnsafeBufferPointer {
      try objective.residuals(kind, batch: batch, at: $0.baseAddress!)
    }
  }

  public func apply(_ x: UnsafePointer<Scalar>, into y: UnsafeMutablePointer<Scalar>) throws {
    if objective.isCancelled() { throw CancellationError() }
    let direction = objective.layout.views(x).arguments
    func run(_ batch: Int, into target: UnsafePointer<Scalar>) throws {
      let executable = try objective.linearExecutable(kind, batch: batch, columns: 1)
      objective.count(executable.program.operationCount)
      _ = try executable.run(
        try residuals(batch) + direction, into: objective.layout.views(target).destinations)
    }
    if objective.batchCount == 1 { return try run(0, into: y) }
    y.update(repeating: 0, count: dimension)
    for batch in 0..<objective.batchCount {
      try scratch.withUnsafeMutableBufferPointer { try run(batch, into: $0.baseAddress!) }
      Scalar.axpy(dimension, Scalar(objective.weight(batch)), scratch, y)
    }
  }

  public func apply(
    columns: Int, _ x: UnsafePointer<Scalar>, into y: UnsafeMutablePointer<Scalar>
  ) throws {
    let width = Self.blockWidth
    var column = 0
    while hasRoomForBlocks, columns - column >= width {
      try applyBlock(x + column * dimension, into: y + column * dimension)
      column += width
    }
    for rest in column..<columns { try apply(x + rest * dimension, into: y + rest * dimension) }
  }

  /// `blockWidth` directions through the batched linear program; each parameter's directions are
  /// gathered next to each other for it.
  private func applyBlock(_ x: UnsafePointer<Scalar>, into y: UnsafeMutablePointer<Scalar>) throws {
    if objective.isCancelled() { throw CancellationError() }
    let (width, layout) = (Self.blockWidth, objective.layout)
    let stacked = ParameterLayout(
      layout.types.map { TensorType($0.element, $0.shape.inserting(width, at: 0)) })
    var input = [Scalar](repeating: 0, count: width * dimension)
    var output = input
    for (type, (offset, start)) in zip(layout.types, zip(layout.offsets, stacked.offsets)) {
      let count = type.shape.count
      for column in 0..<width {
        for index in 0..<count {
          input[start + column * count + index] = x[column * dimension + offset + index]
        }
      }
    }
    y.update(repeating: 0, count: width * dimension)
    for batch in 0..<objective.batchCount {
      let executable = try objective.linearExecutable(kind, batch: batch, columns: width)
      objective.count(executable.program.operationCount)
      let kept = try residuals(batch)
      try input.withUnsafeBufferPointer { input in
        try output.withUnsafeMutableBufferPointer { output in
          _ = try executable.run(
            kept + stacked.views(input.baseAddress!).arguments,
            into: stacked.views(UnsafePointer(output.baseAddress!)).destinations)
        }
      }
      let weight = Scalar(objective.weight(batch))
      for (type, (offset, start)) in zip(layout.types, zip(layout.offsets, stacked.offsets)) {
        let count = type.shape.count
        for column in 0..<width {
          for index in 0..<count {
            y[column * dimension + offset + index] +=
              weight * output[start + column * count + index]
          }
        }
      }
    }
  }
}
