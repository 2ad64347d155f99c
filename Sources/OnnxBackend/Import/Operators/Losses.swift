import TensorPrograms

extension OperatorCatalogue {
  static let losses: [OperatorRule] = [
    OperatorRule("NegativeLogLikelihoodLoss", constants: [2]) { node in
      [try node.negativeLogLikelihood(node.floating(0))]
    },
    OperatorRule("SoftmaxCrossEntropyLoss", constants: [2]) { node in
      let scores = try node.floating(0)
      guard scores.rank >= 2 else { throw node.fail("\(scores.shape) has no axis of classes") }
      let logarithms = scores.logSoftmax(axis: 1)
      return [try node.negativeLogLikelihood(logarithms), logarithms]
    },
  ]
}

extension NodeContext {
  /// The loss of `[N, C, ...]` logarithms of probabilities for the labels `[N, ...]` of input 1.
  fileprivate func negativeLogLikelihood(_ logarithms: Traced) throws -> Traced {
    let labels = try input(1)
    guard logarithms.rank >= 2, labels.shape == logarithms.shape.removing([1]),
      labels.element == .int32 || labels.element == .int64
    else {
      throw fail("the labels \(labels.type) do not fit the scores \(logarithms.shape)")
    }
    let ignored = int("ignore_index").map {
      labels.converted(to: .int64).compare(
        .equal, builder.constant(Tensor([Int64($0)], shape: .scalar)))
    }
    // The ignored label need not be a class.
    let classes = ignored?.select(labels.zeros(), labels) ?? labels
    let last = logarithms.rank - 1
    let picked = -logarithms.transposed([0] + Array(2..<logarithms.rank) + [1])
      .gather(classes, axis: last, batch: last)
    let losses = ignored?.select(picked.zeros(), picked) ?? picked

    var weights: Traced?
    if let given = optionalInput(2) {
      guard given.shape == [logarithms.shape[1]], given.element == logarithms.element else {
        throw fail(
          "the weights \(given.type) are not one for each of \(logarithms.shape[1]) classes")
      }
      weights = given.gather(classes, axis: 0)
    }
    if let ignored {
      weights = ignored.select(losses.zeros(), weights ?? losses.zeros() + 1)
    }
    let weighted = weights.map { losses * $0 } ?? losses
    switch string("reduction", "mean") {
    case "none": return weighted
    case "sum": return weighted.sum()
    case "mean": return weights.map { weighted.sum() / $0.sum() } ?? weighted.mean()
    case let other: throw fail("there is no reduction '\(other)'")
    }
  }
}
