/// Which second-order matrix of a loss, each as the mean over samples.
///
/// `J` is the Jacobian of the model's outputs, `g_i` the gradient of sample `i`'s loss.
public enum CurvatureKind: String, Hashable, Sendable, Codable, CaseIterable {
  /// `H = d^2 f / d theta^2`, penalty included; may be indefinite.
  case hessian
  /// `J' H_loss J`, plus the penalty's own curvature; the Hessian of the loss with the model linearised.
  case gaussNewton = "gauss-newton"
  /// `J' F J`, with `F` the Fisher information of the output distribution at the model's own outputs.
  /// The penalty is no part of the distribution and is left out. For the canonical losses (softmax with
  /// cross-entropy, sigmoid with log loss, squared errors) it is the Gauss-Newton matrix without penalty.
  case fisher
  /// `mean of g_i g_i'` at targets drawn from the model with a seed: `fisher` on average over seeds.
  case sampledFisher = "sampled-fisher"
  /// `mean of g_i g_i'` at the true targets: the second moment of the gradient noise, not a curvature;
  /// it vanishes where every sample is fitted, wherever the Fisher matrix does not.
  ///
  /// Reference: Kunstner, Balles and Hennig, "Limitations of the empirical Fisher approximation",
  /// NeurIPS 2019.
  case empiricalFisher = "empirical-fisher"

  /// Whether it is a matrix of the model's outputs, which a loss without a model output lacks.
  public var needsModelOutput: Bool { self != .hessian }

  /// Whether it also needs to know the distribution that the loss is the likelihood of.
  public var needsDistribution: Bool { self == .fisher || self == .sampledFisher }

  /// Whether it has no negative eigenvalue whenever the loss is convex in the outputs.
  public var isSemidefinite: Bool { self != .hessian }
}
