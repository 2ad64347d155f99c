extension LossDefinition {
  /// Parameters that belong together.
  public struct Layer: Sendable, Hashable {
    public var name: String
    /// Positions in `LossDefinition.parameters`, ascending.
    public var parameters: [Int]
  }

  /// The parameters grouped by layer, in order of first appearance.
  ///
  /// `encoder.0.weight` belongs to `encoder.0` (all before the last dot); a name without dots belongs to
  /// the layer of its final number (`weights2` to `layer2`), and without a number to `layer1`.
  public var layers: [Layer] { parameters.layers }

  /// Positions of the parameters whose name, or layer and name (`layer2.weights2`), matches one of the
  /// comma-separated patterns, in which `*` stands for any text and `?` for one character.
  ///
  /// - Throws: `CurvatureError.noParameter` for a pattern that matches none.
  public func parameters(matching patterns: String) throws -> [Int] {
    try parameters.positions(matching: patterns)
  }
}

extension [LossDefinition.Parameter] {
  /// See `LossDefinition.layers`.
  public var layers: [LossDefinition.Layer] {
    var layers: [LossDefinition.Layer] = []
    for (index, parameter) in enumerated() {
      let name = parameter.layer
      if let known = layers.firstIndex(where: { $0.name == name }) {
        layers[known].parameters.append(index)
      } else {
        layers.append(LossDefinition.Layer(name: name, parameters: [index]))
      }
    }
    return layers
  }

  /// See `LossDefinition.parameters(matching:)`.
  public func positions(matching patterns: String) throws -> [Int] {
    var chosen: Set<Int> = []
    for pattern in patterns.split(separator: ",", omittingEmptySubsequences: false) {
      let trimmed = Array<Character>(pattern.drop { $0 == " " })
      let found = indices.filter {
        globMatches(Array<Character>(self[$0].name)[...], trimmed[...])
          || globMatches(Array<Character>(self[$0].qualifiedName)[...], trimmed[...])
      }
      guard !found.isEmpty else {
        throw CurvatureError.noParameter(pattern: String(pattern), names: map(\.name))
      }
      chosen.formUnion(found)
    }
    return chosen.sorted()
  }
}

extension LossDefinition.Parameter {
  /// The layer that the name puts it in; see `LossDefinition.layers`.
  public var layer: String {
    if let dot = name.lastIndex(of: "."), dot > name.startIndex { return String(name[..<dot]) }
    let digits = String(name.reversed().prefix { $0.isASCII && $0.isNumber }.reversed())
    return "layer" + (digits.isEmpty ? "1" : digits)
  }

  /// The name with its layer in front: `layer2.weights2`, or the name where it has dots.
  public var qualifiedName: String { name.contains(".") ? name : layer + "." + name }
}

private func globMatches(_ text: ArraySlice<Character>, _ pattern: ArraySlice<Character>) -> Bool {
  var (text, pattern) = (text, pattern)
  // The last star, and where the text went on behind it: on a mismatch the star takes one more.
  var retry: (text: ArraySlice<Character>, pattern: ArraySlice<Character>)?
  while true {
    if pattern.first == "*" {
      pattern = pattern.dropFirst()
      retry = (text, pattern)
    } else if let wanted = pattern.first, let character = text.first,
      wanted == "?" || wanted == character
    {
      (text, pattern) = (text.dropFirst(), pattern.dropFirst())
    } else if text.isEmpty, pattern.isEmpty {
      return true
    } else if let last = retry, !last.text.isEmpty {
      text = last.text.dropFirst()
      pattern = last.pattern
      retry = (text, pattern)
    } else {
      return false
    }
  }
}
