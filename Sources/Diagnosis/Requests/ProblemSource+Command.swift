import Presentation
import Training

/// Commands as a user would type them, so that advice can be carried out by copying it.
extension ProblemSource {
  /// The file and the options that say what it is; nil for what no command can name: a problem or, for a
  /// shell, arrays in memory, and a start of its own.
  package var commandWords: [String]? {
    let isOfShell = CommandLanguage.current == .shell
    switch self {
    case .table(let table):
      let isNameless = isOfShell && Self.isInMemory(table.file)
      return table.start != nil || isNameless ? nil : table.commandWords
    case .model(let model):
      return isOfShell && (model.data.map(Self.isInMemory) ?? false) ? nil : model.commandWords
    case .memory: return nil
    }
  }

  /// What the names of arrays in memory begin with that stand in for a file.
  public static let memoryPrefix = "memory:"

  static func isInMemory(_ file: String) -> Bool { file.hasPrefix(memoryPrefix) }

  /// `eigenstep diagnose reg.csv --target y --lr 0.1`, to ask why a training goes as it does.
  ///
  /// - Parameters:
  ///   - optimizer: nil for a method with inner iterations, which has no rate to be judged.
  ///   - batch: samples of a step; nil for all.
  package func diagnoseCommand(
    _ optimizer: OptimizerSetting?, rate: Double?, batch: Int?
  ) -> String? {
    guard var words = commandWords else { return nil }
    if let optimizer {
      if optimizer != OptimizerSetting() { words += ["--optimizer", optimizer.spelled] }
      if let rate { words += ["--lr", Wording.number(rate)] }
      if let batch { words += ["--batch", "\(batch)"] }
    }
    return CommandLanguage.current == .python
      ? CommandLanguage.pythonCall("diagnose", words)
      : "eigenstep diagnose " + words.map(Self.quoted).joined(separator: " ")
  }

  /// A word as a shell takes it for one.
  private static func quoted(_ word: String) -> String {
    let plain = word.allSatisfy {
      $0.isASCII && ($0.isLetter || $0.isNumber || "_-./:=,+@%".contains($0))
    }
    guard !plain || word.isEmpty else { return word }
    return "'" + word.replacing("'", with: #"'\''"#) + "'"
  }

  /// Names between commas, those with a comma in quotes.
  fileprivate static func list(_ names: [String]) -> String {
    names.map { $0.contains(",") ? "\"\($0)\"" : $0 }.joined(separator: ",")
  }
}

extension TableRequest {
  fileprivate var commandWords: [String] {
    let plain = TableRequest(file: file, target: target)
    var words = [file == "/dev/stdin" ? "-" : file]
    // "X, y" names the target too.
    let namesTarget = ProblemSource.isInMemory(file) && file.contains(",")
    if target != "target", !namesTarget { words += ["--target", target] }
    if !features.isEmpty { words += ["--features", ProblemSource.list(features)] }
    if !dropped.isEmpty { words += ["--drop", ProblemSource.list(dropped)] }
    if !kept.isEmpty { words += ["--keep", ProblemSource.list(kept)] }
    if let model { words += ["--model", model.name] }
    if let loss { words += ["--loss", loss] }
    if intercept != plain.intercept { words.append("--no-intercept") }
    if reduction != plain.reduction { words += ["--reduction", reduction.rawValue] }
    if missing != plain.missing { words += ["--missing", missing.rawValue] }
    if standardised { words.append("--standardise") }
    if l2 != plain.l2 { words += ["--l2", "\(l2)"] }
    return words
  }
}

extension ModelFileRequest {
  fileprivate var commandWords: [String] {
    let plain = ModelFileRequest(file: file)
    var words = [file]
    for (flag, value) in [
      ("--data", data), ("--target", target == plain.target ? nil : target), ("--loss", loss),
      ("--output", output), ("--loss-output", lossOutput), ("--parameters", parameters),
      ("--freeze", frozen), ("--samples", samples.map { "\($0)" }),
      ("--batch-axis", batchAxis.map { "\($0)" }), ("--l2", l2 == plain.l2 ? nil : "\(l2)"),
    ] {
      if let value { words += [flag, value] }
    }
    if training { words.append("--training") }
    if asLogits { words.append("--as-logits") }
    return words
  }
}

extension CatalogueSetting {
  /// As an option takes it, with the numbers that are not at their defaults: `adam:beta2=0.99`.
  package var spelled: String {
    let standard = (try? CatalogueSetting(name))?.hyperparameters ?? [:]
    let changed = (Kind.named(name)?.hyperparameters ?? []).compactMap { item -> String? in
      guard let value = hyperparameters[item.name], value != standard[item.name] else { return nil }
      return
        "\(item.name)=\(value == value.rounded() && abs(value) < 1e15 ? "\(Int(value))" : "\(value)")"
    }
    return name + (changed.isEmpty ? "" : ":" + changed.joined(separator: ","))
  }
}

extension TrainingMethod {
  package var spelled: String {
    switch self {
    case .optimizer(let setting): setting.spelled
    case .method(let setting): setting.spelled
    }
  }
}
