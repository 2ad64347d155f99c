import TensorPrograms

extension OperatorCatalogue {
  /// Matrix products and sums of products.
  static let products: [OperatorRule] = [
    OperatorRule("MatMul") { node in
      try exactly(node.input(0), node.input(1)) { a, b in try node.matrixProduct(a, b) }
    },
    OperatorRule("Gemm") { node in
      try exactly(node.input(0), node.input(1)) { a, b in
        guard a.rank == 2, b.rank == 2 else {
          throw node.fail("it multiplies matrices, not \(a.shape) and \(b.shape)")
        }
        var result = a.dot(
          b,
          DotDimensions(
            contracting: [node.flag("transA") ? 0 : 1], [node.flag("transB") ? 1 : 0]))
        let (alpha, beta) = (node.float("alpha", 1), node.float("beta", 1))
        if alpha != 1 { result = result * alpha }
        guard let c = node.optionalInput(2) else { return result }
        let added = c.converted(to: result.element)
        return result + (beta == 1 ? added : added * beta)
      }
    },
    OperatorRule("Einsum") { node in
      [try EinsteinSum(node.string("equation", ""), node).value(of: node.allInputs())]
    },
  ]

  /// The product of integers by way of float64, which holds them up to 2^53.
  private static func exactly(
    _ a: Traced, _ b: Traced, _ body: (Traced, Traced) throws -> Traced
  ) rethrows -> [Traced] {
    if a.element.isFloating { return [try body(a, b)] }
    return [
      try body(a.converted(to: .float64), b.converted(to: .float64)).converted(to: a.element)
    ]
  }

}

extension NodeContext {
  /// The product of matrices, or of stacks of them that broadcast.
  func matrixProduct(_ a: Traced, _ b: Traced) throws -> Traced {
    guard a.rank > 0, b.rank > 0 else { throw fail("a matrix product takes no scalars") }
    if b.rank <= 2 {
      return a.dot(b, DotDimensions(contracting: [a.rank - 1], [max(0, b.rank - 2)]))
    }
    let left = a.rank == 1 ? a.expanded(at: 0) : a
    let leftBatch = Shape(Array(left.shape.dimensions.dropLast(2)))
    let rightBatch = Shape(Array(b.shape.dimensions.dropLast(2)))
    guard let batch = leftBatch.broadcast(with: rightBatch) else {
      throw fail("the shapes \(a.shape) and \(b.shape) do not broadcast")
    }
    func widened(_ x: Traced) -> Traced {
      x.broadcast(to: Shape(batch.dimensions + x.shape.dimensions.suffix(2)))
    }
    let shared = Array(0..<batch.rank)
    let result = widened(left).dot(
      widened(b),
      DotDimensions(contracting: [batch.rank + 1], [batch.rank], batch: shared, shared))
    return a.rank == 1 && result.rank == batch.rank + 2
      ? result.reshaped(result.shape.removing([batch.rank])) : result
  }
}

/// An equation such as `bij,bjk->bik` applied to operands, pair after pair.
private struct EinsteinSum {
  private let node: NodeContext
  private let inputs: [[Character]]
  private let output: [Character]?
  /// Stands for the axes that `...` means, aligned at the last.
  private static let ellipsis: [Character] = Array("₀₁₂₃₄₅₆₇₈₉")

  init(_ equation: String, _ node: NodeContext) throws {
    self.node = node
    let sides = equation.filter { $0 != " " }.components(of: "->")
    guard (1...2).contains(sides.count) else { throw node.fail("'\(equation)' is no equation") }
    inputs = sides[0].split(separator: ",", omittingEmptySubsequences: false).map { Array($0) }
    output = sides.count == 2 ? Array(sides[1]) : nil
  }

  private func expanded(_ term: [Character], extra: Int) throws -> [Character] {
    guard let dots = term.firstIndex(of: ".") else { return term }
    guard term[dots...].prefix(3) == [".", ".", "."], (0...10).contains(extra) else {
      throw node.fail("an ellipsis is written '...'")
    }
    return term[..<dots] + Self.ellipsis.prefix(extra).reversed() + term[(dots + 3)...]
  }

  func value(of operands: [Traced]) throws -> Traced {
    guard operands.count == inputs.count, !operands.isEmpty else {
      throw node.fail("its equation has \(inputs.count) terms for \(operands.count) inputs")
    }
    var terms: [(labels: [Character], value: Traced)] = []
    var dots = 0
    for (term, operand) in zip(inputs, operands) {
      let extra = operand.rank - (term.count - (term.contains(".") ? 3 : 0))
      if term.contains(".") { dots = max(dots, extra) }
      let labels = try expanded(term, extra: extra)
      guard labels.count == operand.rank else {
        throw node.fail("its term '\(String(term))' does not fit the shape \(operand.shape)")
      }
      terms.append(diagonal(labels, operand))
    }
    var sizes: [Character: Int] = [:]
    for (labels, value) in terms {
      for (label, size) in zip(labels, value.shape.dimensions) where (sizes[label] ?? 1) == 1 {
        sizes[label] = size
      }
    }
    // Axes of size 1 that meet longer ones repeat: they may as well not be there.
    terms = try terms.map { labels, value in
      let kept = labels.indices.filter { value.shape[$0] != 1 || sizes[labels[$0]] == 1 }
      for axis in kept where value.shape[axis] != sizes[labels[axis]] {
        throw node.fail("the sizes of '\(labels[axis])' differ")
      }
      return (
        kept.map { labels[$0] }, value.reshaped(Shape(kept.map { value.shape[$0] }))
      )
    }
    let all = terms.flatMap(\.labels)
    let target = try output.map { try expanded($0, extra: dots) } ?? implicitOutput(inputs, dots)
    guard Set(target).count == target.count, target.allSatisfy(all.contains) else {
      throw node.fail("its result '\(String(target))' repeats an index or names a new one")
    }
    var (labels, value) = terms[0]
    for position in terms.indices.dropFirst() {
      let later = Set(terms[(position + 1)...].flatMap(\.labels) + target)
      (labels, value) = product((labels, value), terms[position], keeping: later)
    }
    (labels, value) = summed((labels, value), keeping: Set(target))
    return value.transposed(target.map { labels.firstIndex(of: $0)! })
  }

  private func implicitOutput(_ terms: [[Character]], _ dots: Int) -> [Character] {
    let letters = terms.flatMap { $0 }.filter { $0 != "." }
    let single = Set(letters).filter { letter in letters.filter { $0 == letter }.count == 1 }
    return Self.ellipsis.prefix(dots).reversed() + single.sorted()
  }

  private typealias Term = (labels: [Character], value: Traced)

  /// Repeated indices of one operand, reduced to their diagonal.
  private func diagonal(_ labels: [Character], _ value: Traced) -> Term {
    var (labels, value) = (labels, value)
    while let second = labels.indices.first(where: { labels[..<$0].contains(labels[$0]) }) {
      let first = labels.firstIndex(of: labels[second])!
      let equal = value.places(along: first, element: .int64)
        .compare(.equal, value.places(along: second, element: .int64))
      value = equal.select(value, value.zeros()).sum([second])
      labels.remove(at: second)
    }
    return (labels, value)
  }

  private func summed(_ term: Term, keeping: Set<Character>) -> Term {
    let axes = term.labels.indices.filter { !keeping.contains(term.labels[$0]) }
    return (term.labels.filter(keeping.contains), axes.isEmpty ? term.value : term.value.sum(axes))
  }

  private func product(_ a: Term, _ b: Term, keeping: Set<Character>) -> Term {
    let a = summed(a, keeping: keeping.union(b.labels))
    let b = summed(b, keeping: keeping.union(a.labels))
    let shared = a.labels.filter(b.labels.contains)
    let (batch, contracted) = (
      shared.filter(keeping.contains), shared.filter { !keeping.contains($0) }
    )
    func axes(_ names: [Character], _ term: Term) -> [Int] {
      names.map { term.labels.firstIndex(of: $0)! }
    }
    let value = a.value.dot(
      b.value,
      DotDimensions(
        contracting: axes(contracted, a), axes(contracted, b), batch: axes(batch, a),
        axes(batch, b)))
    let labels =
      batch + a.labels.filter { !shared.contains($0) } + b.labels.filter { !shared.contains($0) }
    return (labels, value)
  }
}

extension String {
  fileprivate func components(of separator: String) -> [String] {
    guard let range = firstRange(of: separator) else { return [self] }
    return [String(self[..<range.lowerBound]), String(self[range.upperBound...])]
  }
}
