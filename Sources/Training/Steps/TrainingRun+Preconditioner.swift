import LinearMaps

extension TrainingRun {
  /// The diagonal of what steps are multiplied by beside the rate, from the optimizer's state and the factors
  /// of the rate; nil where that is nothing, or the optimizer cannot tell.
  var inversePreconditioner: [Double]? {
    inversePreconditioner({ doubles(self.state($0)) }, step: updateCount)
  }

  /// Likewise after so many steps, of a state as `dryStep` returns it.
  func inversePreconditioner(of state: [Scalar], step: Int) -> [Double]? {
    inversePreconditioner({ doubles(self.tensors($0, of: state)) }, step: step)
  }

  private func inversePreconditioner(
    _ state: (String) -> [Double], step: Int
  ) -> [Double]? {
    let divided = optimizer.preconditioner(state: state, step: step)
    let factors = rules.flatRateFactors(loss.parameters)
    // Without a `P` of an optimizer that has one, factors alone would say nothing.
    guard divided != nil || optimizer.stability?.isPreconditioned != true else { return nil }
    switch (divided, factors) {
    case (let divided?, let factors?): return zip(divided, factors).map { $1 / $0 }
    case (let divided?, nil): return divided.map { 1 / $0 }
    case (nil, let factors): return factors
    }
  }
}
