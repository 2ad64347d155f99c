import LinearMaps

/// The curvature of a loss in one layer's parameters alone: the spectrum of its diagonal block.
public struct LayerCurvature: Codable, Sendable, Equatable {
  public var layer: String
  /// Names of its parameters.
  public var parameters: [String]
  public var parameterCount: Int
  /// The block's largest eigenvalue; that of the whole matrix is at least as large.
  public var sharpness: Double
  /// Some eigenvalue of the block lies within it of `sharpness`.
  public var residual: Double
  /// The block's largest eigenvalue is not above it, but for the failure probability asked for.
  public var upperBound: Double?
  /// The sum of the block's eigenvalues; nil where none was asked for. Over all layers they add up to the
  /// trace of the whole matrix.
  public var trace: Double?
  /// 0 for a trace from all diagonal entries.
  public var traceStandardError: Double?
  /// How the search for `sharpness` ended, and what it cost.
  public var convergence: Convergence
  /// Products for the trace.
  public var traceApplications: Int

  package init(
    layer: String, parameters: [String], parameterCount: Int, sharpness: Double, residual: Double,
    upperBound: Double?, trace: Double?, traceStandardError: Double?, convergence: Convergence,
    traceApplications: Int
  ) {
    self.layer = layer
    self.parameters = parameters
    self.parameterCount = parameterCount
    self.sharpness = sharpness
    self.residual = residual
    self.upperBound = upperBound
    self.trace = trace
    self.traceStandardError = traceStandardError
    self.convergence = convergence
    self.traceApplications = traceApplications
  }
}

/// A trace and what is known about its error.
public struct MeasuredTrace: Sendable {
  public var value: Double
  public var standardError: Double
  public var operatorApplications: Int

  public init(value: Double, standardError: Double, operatorApplications: Int) {
    self.value = value
    self.standardError = standardError
    self.operatorApplications = operatorApplications
  }
}

extension Loss {
  /// Sharpness and trace of each layer.
  ///
  /// - Parameters:
  ///   - exactTraceLimit: layers of at most this many parameters get the sum of all diagonal entries, one
  ///     product each.
  ///   - trace: estimates the trace of a larger layer; nil leaves it out.
  /// - Throws: as `curvature` and `TopEigenpairs`.
  public func layerCurvature(
    _ kind: CurvatureKind, at point: [Scalar], layers: [LossDefinition.Layer]? = nil,
    options: TopEigenpairs<Scalar>.Options = .init(), exactTraceLimit: Int = 256, seed: UInt64 = 0,
    trace: ((CurvatureMap<Scalar>) throws -> MeasuredTrace)? = nil
  ) throws -> [LayerCurvature] {
    try (layers ?? parameters.layers).map { layer in
      let map = try curvature(kind, at: point, parameters: layer.parameters, seed: seed)
      var options = options
      (options.count, options.end) = (1, .largest)
      let top = try TopEigenpairs<Scalar>(of: map, options: options)
      let measured =
        map.dimension <= exactTraceLimit
        ? MeasuredTrace(
          value: try exactDiagonal(of: map).reduce(0, +), standardError: 0,
          operatorApplications: map.dimension)
        : try trace?(map)
      return LayerCurvature(
        layer: layer.name, parameters: layer.parameters.map { parameters[$0].name },
        parameterCount: map.dimension, sharpness: top.largest[0].value,
        residual: top.largest[0].residual, upperBound: top.upperBound, trace: measured?.value,
        traceStandardError: measured?.standardError, convergence: top.convergence,
        traceApplications: measured?.operatorApplications ?? 0)
    }
  }
}
