import TensorPrograms

extension LossDefinition {
  /// The product `v -> A v` of a curvature matrix with directions in some of the parameters, in the form
  /// of `Program.hessianProduct`: `primal` ends with the residuals, `linear` takes them and then one
  /// direction per chosen parameter.
  ///
  /// - Parameters:
  ///   - indices: positions of the parameters to differentiate; the product is that of the principal
  ///     submatrix on them.
  ///   - dataTypes: types of one batch; for `sampledFisher` followed by the type of the outputs, for the
  ///     noise that draws its targets.
  /// - Throws: `CurvatureError` where the loss lacks what the matrix is made of; `ProgramError` where
  ///   shapes do not fit.
  ///
  /// Reference: Pearlmutter, "Fast exact multiplication by the Hessian", Neural Computation 6 (1994);
  /// Schraudolph, "Fast curvature matrix-vector products", Neural Computation 14 (2002).
  public func curvatureProduct(
    _ kind: CurvatureKind, withRespectTo indices: [Int], dataTypes: [TensorType],
    element: ElementType
  ) throws -> Linearization {
    if kind == .hessian {
      return try program(dataTypes: dataTypes, element: element)
        .hessianProduct(withRespectTo: indices)
    }
    let composite = try composite(for: kind)
    let noiseCount = kind == .sampledFisher ? 1 : 0
    let model = try traced(dataTypes: dataTypes.dropLast(noiseCount), element: element) {
      [composite.model($0, $1)]
    }
    let jacobian = model.linearized(withRespectTo: indices)
    let middle = try composite.outputCurvature(
      kind, outputs: model.outputTypes[0], dataTypes: dataTypes)
    let penalty =
      try kind != .gaussNewton
      ? nil
      : composite.penalty.map { penalty in
        try traced(dataTypes: [], element: element) { parameters, _ in [penalty(parameters)] }
          .hessianProduct(withRespectTo: indices)
      }
    let transposed = jacobian.transposed
    let primal = try traced(dataTypes: dataTypes, element: element) { parameters, data in
      let builder = parameters[0].builder
      let forward = builder.inline(jacobian.primal, parameters + data.dropLast(noiseCount))
      var residuals = Array(forward.dropFirst())
      residuals += builder.inline(middle.primal, [forward[0]] + data)
      if let penalty {
        residuals += builder.inline(penalty.primal, parameters).dropFirst(1 + indices.count)
      }
      return residuals
    }
    let types = indices.map { parameterTypes(element)[$0] }
    let linear = try Program.trace(primal.outputTypes + types) { arguments in
      let builder = arguments[0].builder
      let j = arguments.prefix(jacobian.residualTypes.count)
      let m = arguments.dropFirst(j.count).prefix(middle.residualTypes.count)
      let p = arguments.dropFirst(j.count + m.count).dropLast(types.count)
      let direction = Array(arguments.suffix(types.count))
      let output = builder.inline(jacobian.linear, j + direction)
      let curved = builder.inline(middle.linear, m + output)
      let product = builder.inline(transposed, j + curved)
      guard let penalty else { return product }
      return zip(product, builder.inline(penalty.linear, p + direction)).map { $0 + $1 }
    }
    return Linearization(
      primal: primal.simplified(), linear: linear.simplified(), residualTypes: primal.outputTypes)
  }

  /// The type of the model's outputs for data of these types.
  func outputType(dataTypes: [TensorType], element: ElementType) throws -> TensorType? {
    guard let composite else { return nil }
    return try traced(dataTypes: dataTypes, element: element) { [composite.model($0, $1)] }
      .outputTypes[0]
  }

  private func composite(for kind: CurvatureKind) throws -> Composite {
    guard let composite else { throw CurvatureError.noModelOutput(kind) }
    if kind.needsDistribution, composite.distribution == nil {
      throw CurvatureError.noDistribution(kind)
    }
    return composite
  }
}

extension LossDefinition.Composite {
  /// `u -> C u` at the outputs: from outputs, data (and noise) to residuals, and the linear rest.
  fileprivate func outputCurvature(
    _ kind: CurvatureKind, outputs: TensorType, dataTypes: [TensorType]
  ) throws -> Linearization {
    let samples = Double(outputs.shape[0])
    func lossProgram() throws -> Program {
      try Program.trace([outputs] + dataTypes) { [loss($0[0], Array($0.dropFirst()))] }
    }
    if kind == .gaussNewton {
      let hessian = try lossProgram().hessianProduct(withRespectTo: [0])
      let count = hessian.primal.outputs.count
      return Linearization(
        primal: hessian.primal.selectingResults(count - hessian.residualTypes.count..<count),
        linear: hessian.linear, residualTypes: hessian.residualTypes)
    }
    let program = try Program.trace([outputs] + dataTypes + [outputs]) { arguments in
      let (f, u) = (arguments[0], arguments[arguments.count - 1])
      let data = Array(arguments.dropFirst().dropLast())
      /// `(1/n) s_i s_i'u_i` over the samples `i`.
      func outer(_ s: Traced, _ scale: Double) -> Traced {
        s * (s * u).sum(Array(1..<f.rank), keepingAxes: true) * scale
      }
      switch kind {
      case .fisher:
        return [distribution!.information(at: f, along: u) * (distribution!.scale / samples)]
      case .sampledFisher:
        let score = distribution!.score(at: f, noise: data[data.count - 1])
        return [outer(score, distribution!.scale / samples)]
      case .empiricalFisher:
        let derivative = try lossProgram().gradient(withRespectTo: [0])
        // The loss is the weighted mean over samples, so that each one's own gradient is n times its
        // share of the unweighted one.
        return [outer(f.builder.inline(derivative, [f] + data)[1], samples / weight)]
      case .hessian, .gaussNewton:
        preconditionFailure("\(kind) is not an outer product")
      }
    }
    let parts = program.simplified()
      .partiallyEvaluated(unknown: (dataTypes.map { _ in false } + [false, true]))
    return Linearization(
      primal: parts.known, linear: parts.unknown, residualTypes: parts.residualTypes)
  }
}
