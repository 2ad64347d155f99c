/// The optimizers that a person can name whose step is one tensor program; command line, help, docs and JSON
/// read this list.
public enum OptimizerCatalogue: Catalogue {
  public static let kind = "optimizer"
  public static let all: [OptimizerEntry] = [
    GradientDescent.entry, Momentum.entry, Nesterov.entry, Adam.entry,
  ]
  public static let standard = GradientDescent.entry.name

  /// The optimizers with a hyperparameter of this name, in words: `momentum or nesterov`.
  package static func names(having hyperparameter: String) -> String {
    all.filter { $0.hyperparameters.contains { $0.name == hyperparameter } }.map(\.name)
      .joined(separator: " or ")
  }

  public typealias Made = any Optimizer
}

/// What the catalogue holds of an optimizer.
public typealias OptimizerEntry = CatalogueEntry<OptimizerCatalogue>

/// An optimizer of the catalogue with its hyperparameters, as a request names it.
public typealias OptimizerSetting = CatalogueSetting<OptimizerCatalogue>
