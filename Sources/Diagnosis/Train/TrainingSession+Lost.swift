import Curvature
import LinearMaps
import Presentation
import Training

/// Why a loss or its gradient is no number: which of the two, the operation, the layer and the parameter.
extension TrainingSession {
  func brokenStart(_ start: [Scalar], isLoss: Bool) throws -> DiagnosisFailure {
    let origin = try loss.objective.flatMap {
      try NonFiniteOrigin($0, at: start, samples: nil)
    }
    let cause =
      try origin.map { "it comes from \($0.words)" } ?? (isLoss ? nil : overflow(at: start))
    return DiagnosisFailure(
      .badData,
      "\(data.training.name): the \(isLoss ? "loss" : "gradient") is not finite at the start"
        + (cause.map { "; \($0)" } ?? "") + ": mend the data, or start from other parameters.")
  }

  /// What became of a run whose loss is no number any more.
  func words(of run: any TrainingSteps<Scalar>, _ ending: TrainingEnding) throws -> String {
    let point = run.optimizerRun?.evaluatedParameters ?? run.parameters
    let samples = batches?.samples(of: run.stepCount - 1, sampleCount: data.training.sampleCount)
    let origin = try loss.objective.flatMap {
      try NonFiniteOrigin($0, at: point, samples: samples)
    }
    let cause = try origin.map { "it comes from \($0.words)" } ?? overflow(at: point)
    guard let cause else { return ending.sentence }
    return ending.sentence.dropLast() + "; \(cause)."
  }

  /// The entry of the gradient that cannot be squared, where all are numbers and their norm is none.
  private func overflow(at point: [Scalar]) throws -> String? {
    let gradient = try loss.valueAndGradient(at: point).gradient
    guard Scalar.firstNonFinite(gradient.count, gradient) == nil,
      let index = gradient.indices.max(by: { abs(gradient[$0]) < abs(gradient[$1]) }),
      abs(Double(gradient[index]))
        > 1e-3 * Double(Scalar.greatestFiniteMagnitude).squareRoot()
    else { return nil }
    let name = data.training.parameterTensor(index)
    let layer = data.training.parameters.first { $0.name == name }?.layerWords
    return (batches == nil ? "" : "over all samples ")
      + "its largest entry, \(Wording.number(abs(Double(gradient[index])))) in "
      + "'\(Printable.line(name))'\(layer.map { " of \($0)" } ?? ""), is too large to be "
      + "squared in \(Scalar.precisionName)"
  }
}
