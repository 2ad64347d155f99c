import TensorPrograms

/// A step over data that stay, without what depends on them alone: that is computed once for all steps.
struct HoistedStep {
  /// What each step runs.
  let program: Program
  /// Arguments before and after those that change from step to step.
  let before: [Argument]
  let after: [Argument]

  /// - Parameters:
  ///   - whole: takes the data last.
  ///   - data: kept in the memory of the executor.
  init(_ whole: Program, data: [Argument], executor: any Executor) throws {
    let parts = whole.partiallyEvaluated(
      unknown: whole.inputs.indices.map { $0 < whole.inputs.count - data.count })
    // An output that the data alone decide, as the gradient of a linear loss, is left in place.
    guard parts.outputIsUnknown.allSatisfy({ $0 }) else {
      (program, before, after) = (whole, [], data)
      return
    }
    program = parts.unknown.simplified()
    before =
      parts.residualTypes.isEmpty
      ? []
      : try executor.compile(parts.known.simplified()).run(
        data, into: parts.residualTypes.map { _ in .resident })
    after = []
  }
}
