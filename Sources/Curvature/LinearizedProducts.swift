import LinearMaps
import TensorPrograms

/// The products of a curvature matrix of an objective, or of its principal submatrix on some of the
/// parameters.
///
/// What does not depend on the direction is computed once and kept in the executor's memory while it
/// fits half the memory budget, else recomputed for each micro-batch of each product.
final class LinearizedProducts<Scalar: LinearMapScalar>: CurvatureProducts {
  private let kind: CurvatureKind
  /// Positions in `LossDefinition.parameters` of what the vectors are made of, ascending.
  let parameters: [Int]
  private let objective: Objective<Scalar>
  private let point: [Scalar]
  private let layout: ParameterLayout
  /// The mean over which micro-batches.
  private let sum: BatchSum
  private let noise: [Argument]
  private let kept: [[Argument]]?
  private let hasRoomForBlocks: Bool

  /// Directions that one run of the batched program takes in a block product.
  private static var blockWidth: Int { 8 }

  init(
    _ objective: Objective<Scalar>, _ kind: CurvatureKind, at point: [Scalar],
    parameters: [Int]? = nil, batches: Range<Int>? = nil, seed: UInt64 = 0
  ) throws {
    precondition(
      point.count == objective.parameterCount,
      "\(point.count) numbers for \(objective.parameterCount) parameters")
    let chosen = parameters ?? Array(objective.definition.parameters.indices)
    precondition(
      !chosen.isEmpty && zip(chosen, chosen.dropFirst()).allSatisfy(<),
      "the parameters \(chosen) are not ascending positions")
    let batches = batches ?? 0..<objective.batchCount
    let noise = kind == .sampledFisher ? try objective.noise(seed: seed) : []
    self.objective = objective
    self.kind = kind
    self.point = point
    self.parameters = chosen
    self.noise = noise
    layout = ParameterLayout(chosen.map { objective.layout.types[$0] })
    var total = batches.reduce(0) { $0 + objective.weight($1) }
    try objective.reduction.sum(&total, 1)
    sum = BatchSum(
      batches: batches, weights: batches.map { objective.weight($0) / total },
      reduction: objective.reduction)
    // Maps over parts of the samples share the budget, so that all batches count.
    let bytes = try (0..<objective.batchCount).reduce(0) {
      try $0
        + objective.linearization(kind, chosen, batch: $1).residualTypes.reduce(0) {
          $0 + $1.byteCount
        }
    }
    let fits = objective.batchCount == 1 || bytes <= objective.memoryBudget / 2
    kept =
      fits
      ? try point.withUnsafeBufferPointer { point in
        try batches.map {
          try objective.residuals(
            kind, chosen, batch: $0, at: point.baseAddress!, noise: noise.at($0))
        }
      } : nil
    let product = try objective.linearization(kind, chosen, batch: batches.lowerBound).linear
      .valueBytes
    hasRoomForBlocks = Self.blockWidth * product <= objective.memoryBudget
  }

  var dimension: Int { layout.count }

  func productOperations() throws -> Double {
    try sum.batches.reduce(0) {
      let linearization = try objective.linearization(kind, parameters, batch: $1)
      return $0 + linearization.linear.operationCount
        + (kept == nil ? linearization.primal.operationCount : 0)
    }
  }

  private func residuals(_ batch: Int) throws -> [Argument] {
    if let kept { return kept[batch - sum.batches.lowerBound] }
    return try point.withUnsafeBufferPointer {
      try objective.residuals(
        kind, parameters, batch: batch, at: $0.baseAddress!, noise: noise.at(batch))
    }
  }

  func apply(_ x: UnsafePointer<Scalar>, into y: UnsafeMutablePointer<Scalar>) throws {
    try objective.context.checkCancellation()
    let direction = layout.views(x).arguments
    _ = try sum(dimension, into: y) { batch, part in
      guard let part else { return 0 }
      let executable = try objective.linearExecutable(kind, parameters, batch: batch, columns: 1)
      objective.count(executable.program.operationCount)
      _ = try executable.run(
        try residuals(batch) + direction, into: layout.views(part).destinations)
      if let index = Scalar.firstNonFinite(dimension, part) {
        throw failure(layout.parameter(at: index), batch, x, dimension)
      }
      return 0
    }
  }

  /// What to blame for a product of `batch` that is not finite in `parameter` (a position in `layout`).
  private func failure(
    _ parameter: Int, _ batch: Int, _ direction: UnsafePointer<Scalar>, _ count: Int
  ) -> any Error {
    let names = objective.definition.parameters.map(\.name)
    if let index = Scalar.firstNonFinite(point.count, point) {
      return CurvatureError.nonFinitePoint(parameter: names[objective.layout.parameter(at: index)])
    }
    if let (array, sample) = objective.nonFiniteSample(batch: batch) {
      return CurvatureError.nonFiniteData(array: array, sample: sample)
    }
    if let index = Scalar.firstNonFinite(count, direction) {
      return LinearMapError.nonFiniteVector(role: "direction", index: index)
    }
    return CurvatureError.nonFiniteProduct(
      parameter: names[parameters[parameter]], batch: batch + 1)
  }

  func apply(
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
    try objective.context.checkCancellation()
    let width = Self.blockWidth
    let stacked = ParameterLayout(
      layout.types.map { TensorType($0.element, $0.shape.inserting(width, at: 0)) })
    /// Calls `move` with each entry's place among the columns and among the gathered directions.
    func eachEntry(_ move: (_ column: Int, _ gathered: Int) -> Void) {
      for (type, (offset, start)) in zip(layout.types, zip(layout.offsets, stacked.offsets)) {
        let count = type.shape.count
        for column in 0..<width {
          for index in 0..<count {
            move(column * dimension + offset + index, start + column * count + index)
          }
        }
      }
    }
    var input = [Scalar](repeating: 0, count: width * dimension)
    eachEntry { input[$1] = x[$0] }
    var total = input
    try total.withUnsafeMutableBufferPointer { total in
      _ = try sum(width * dimension, into: total.baseAddress!) { batch, part in
        guard let part else { return 0 }
        let executable = try objective.linearExecutable(
          kind, parameters, batch: batch, columns: width)
        objective.count(executable.program.operationCount)
        let kept = try residuals(batch)
        try input.withUnsafeBufferPointer { input in
          _ = try executable.run(
            kept + stacked.views(input.baseAddress!).arguments,
            into: stacked.views(UnsafePointer(part)).destinations)
        }
        if let index = Scalar.firstNonFinite(width * dimension, part) {
          throw failure(stacked.parameter(at: index), batch, x, width * dimension)
        }
        return 0
      }
    }
    eachEntry { y[$0] = total[$1] }
  }
}

extension [Argument] {
  /// The argument of one micro-batch, or none where there are none.
  fileprivate func at(_ batch: Int) -> [Argument] { isEmpty ? [] : [self[batch]] }
}
