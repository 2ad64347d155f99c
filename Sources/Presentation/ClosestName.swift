/// The name among `candidates` that `name` was probably meant to be: the same but for case, or the
/// fewest edits away and at most a third of its letters; else the only one that begins so.
package func closestName(to name: String, among candidates: [String]) -> String? {
  let letters = Array(name.lowercased())
  var best: (name: String, edits: Int)?
  for candidate in candidates {
    let edits = editDistance(letters, Array(candidate.lowercased()))
    if edits < best?.edits ?? Int.max { best = (candidate, edits) }
  }
  guard let best, best.edits <= max(1, letters.count / 3) else {
    // What was cut short: `cos` for `cosine`, unless it could be several.
    let begun = candidates.filter { $0.lowercased().hasPrefix(name.lowercased()) }
    return letters.count >= 2 && begun.count == 1 ? begun[0] : nil
  }
  return best.name
}

/// Insertions, deletions and substitutions that turn `a` into `b`.
///
/// Reference: Wagner and Fischer (1974), "The string-to-string correction problem".
private func editDistance(_ a: [Character], _ b: [Character]) -> Int {
  var previous = Array(0...b.count)
  for (i, x) in a.enumerated() {
    var row = [i + 1]
    for (j, y) in b.enumerated() {
      row.append(min(previous[j] + (x == y ? 0 : 1), previous[j + 1] + 1, row[j] + 1))
    }
    previous = row
  }
  return previous[b.count]
}
