/// What SciPy did on a problem, and the problem's values at its start by JAX.
struct ScipyRun {
  struct Method {
    let loss: Double
    /// Evaluations when the loss first came close to a known minimum.
    let solvedAt: Int?
    let total: Int

    init(_ loss: Double, solvedAt: Int?, total: Int) {
      self.loss = loss
      self.solvedAt = solvedAt
      self.total = total
    }
  }

  let name: String
  let minima: [Double]
  let value: Double
  let gradient: [Double]
  /// Of the Hessian at the start with `cos(0), cos(1), ...`.
  let product: [Double]
  /// L-BFGS-B, BFGS, trust-ncg.
  let runs: [Method]

  init(
    _ name: String, minima: [Double], value: Double, gradient: [Double], product: [Double],
    runs: [Method]
  ) {
    self.name = name
    self.minima = minima
    self.value = value
    self.gradient = gradient
    self.product = product
    self.runs = runs
  }
}
