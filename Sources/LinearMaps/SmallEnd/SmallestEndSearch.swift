/// One run of `SmallestEigenpairs`: Lanczos first, and a subspace method where its basis ends.
struct SmallestEndSearch<Map: LinearMap> {
  typealias Scalar = Map.Scalar
  typealias Method = SmallestEigenpairs<Scalar>.Method

  struct Outcome {
    let pairs: [Eigenpair<Scalar>]
    let lowerBound: Double?
    let method: Method
    let choice: String
    let scale: Double
    let resolution: Double
    let convergence: Convergence
  }

  let map: CountedMap<Map>
  let options: SmallestEigenpairs<Scalar>.Options
  var generator: SeededGenerator

  init(_ map: Map, _ options: SmallestEigenpairs<Scalar>.Options) {
    self.map = CountedMap(map)
    self.options = options
    generator = SeededGenerator(seed: options.seed)
  }

  var n: Int { map.dimension }
  /// Products left, those that measure the result set aside.
  var left: Int { options.maxApplications - map.products - options.count }

  /// Columns a subspace method holds: room for a restart to keep the neighbours of the wanted.
  var capacity: Int { min(n, 2 * options.count + 18) }

  mutating func run() throws -> Outcome {
    for vector in options.start {
      if let index = Scalar.firstNonFinite(n, vector) {
        throw LinearMapError.nonFiniteVector(role: "start vector", index: index)
      }
    }
    let limit: Int
    switch options.method {
    case .lanczos: limit = options.basisColumns ?? n
    case .automatic:
      let fitting = (1 << 30) / (n * MemoryLayout<Scalar>.stride)
      limit = options.basisColumns ?? min(1000, fitting)
    case .chebyshevFilter, .shiftInvert: limit = capacity
    }
    let isGiven = options.method == .lanczos && !options.start.isEmpty
    let lanczos = try LanczosFactorization(start: isGiven ? sumOfStarts() : generator.unitSphere(n))
    let isFinished = try grow(lanczos, to: max(limit, capacity), isRandom: !isGiven)
    let end = try LanczosSmallEnd(lanczos, isRandom: !isGiven, options: options, vectors: .all)
    if !isFinished && options.method != .lanczos && left > 6 {
      return try refine(lanczos, end)
    }
    let found = 0..<min(options.count, lanczos.count)
    return try outcome(
      vectors: found.map { ritzVector(lanczos, end, $0) },
      values: found.map { end.ritz.values[$0] },
      estimates: found.map { abs(end.ritz.last[$0]) * lanczos.betas[lanczos.count - 1] }, end,
      method: .lanczos, choice: lanczosChoice(lanczos, end))
  }

  /// Lanczos steps until the wanted end is known or `limit` columns are held; whether it is known.
  private mutating func grow(
    _ lanczos: LanczosFactorization<Scalar>, to limit: Int, isRandom: Bool
  ) throws -> Bool {
    let last = max(1, min(n, limit, left))
    var before: [Double] = []
    while true {
      try lanczos.extend(by: map)
      let k = lanczos.count
      let isLast = k == last
      if isLast || lanczos.isInvariant || k % (1 + k / 16) == 0 {
        // The eigenvectors of T_k cost k³: not before its values have nearly settled.
        let values = try lanczos.ritzSystem(vectors: .none).values
        let wanted = Array(values.prefix(options.count))
        let change = zip(wanted, before).reduce(0.0) { max($0, abs($1.0 - $1.1)) }
        let isSettled = change <= 10 * options.tolerance * lanczos.scale
        before = wanted
        if isLast || lanczos.isInvariant || isSettled {
          let end = try LanczosSmallEnd(
            lanczos, isRandom: isRandom, options: options, isLast: isLast)
          if isLast || end.isFinished { return end.isFinished }
          if end.isCrowded && options.method == .automatic { return false }
        }
      }
      if lanczos.isInvariant { lanczos.restart(using: &generator) }
    }
  }

  private func ritzVector(
    _ lanczos: LanczosFactorization<Scalar>, _ end: LanczosSmallEnd<Scalar>, _ index: Int
  ) -> [Scalar] {
    let k = lanczos.count
    return lanczos.combination(
      Array(end.ritz.vectors[index * k..<(index + 1) * k]), normalized: true)
  }

  private func sumOfStarts() -> [Scalar] {
    var sum = [Scalar](repeating: 0, count: n)
    for vector in options.start { Scalar.axpy(n, 1, vector, &sum) }
    return sum
  }

  private func lanczosChoice(
    _ lanczos: LanczosFactorization<Scalar>, _ end: LanczosSmallEnd<Scalar>
  ) -> String {
    switch options.method {
    case .lanczos: "Lanczos was asked for."
    case .automatic:
      "Lanczos, whose full basis needs the fewest products, "
        + (end.isFinished ? "met the tolerance" : "spent the budget")
        + " within its \(lanczos.count) columns."
    case .chebyshevFilter, .shiftInvert:
      "\(lanczos.count) Lanczos steps made to measure the spectrum "
        + (end.isFinished ? "met the tolerance already." : "spent the budget.")
    }
  }

  /// Continues from the lowest Ritz vectors of Lanczos with a subspace method.
  private mutating func refine(
    _ lanczos: LanczosFactorization<Scalar>, _ end: LanczosSmallEnd<Scalar>
  ) throws -> Outcome {
    let k = lanczos.count
    var space = RitzSubspace(map, capacity: capacity)
    // Fresh directions can hold further copies of a multiple eigenvalue, which one start cannot.
    var initial = options.start
    for _ in 1..<options.count { initial.append(generator.unitSphere(n)) }
    for index in 0..<min(options.count + 4, k) { initial.append(ritzVector(lanczos, end, index)) }
    _ = try space.append(Array(initial.prefix(max(1, min(capacity - 2, left)))))

    let plan = ShiftInvertPlan(
      end, dimension: n, lastBeta: lanczos.betas[k - 1], isBasisLong: k > capacity,
      options: options)
    let isInverting =
      options.method == .shiftInvert || options.method == .automatic && plan.isWorthwhile
    var expansion: any SubspaceExpansion<Scalar>
    if isInverting {
      expansion = ShiftInvertExpansion(
        map, shift: options.shift, lowerBound: end.lowerBound,
        preconditioner: try preconditioner(plan, lanczos, end))
    } else {
      expansion = ChebyshevExpansion(map: map, upperBound: end.upperBound, count: options.count)
    }
    try enlarge(&space, with: &expansion, end)
    let found = 0..<min(options.count, space.count)
    return try outcome(
      vectors: found.map(space.vector), values: found.map { space.values[$0] },
      estimates: found.map(space.residualNorm), end,
      method: isInverting ? .shiftInvert : .chebyshevFilter,
      choice: subspaceChoice(plan, columns: k, end))
  }

  private func subspaceChoice(
    _ plan: ShiftInvertPlan, columns: Int, _ end: LanczosSmallEnd<Scalar>
  ) -> String {
    switch options.method {
    case .shiftInvert: "Shift-and-invert was asked for."
    case .chebyshevFilter: "The Chebyshev filter was asked for."
    case .automatic, .lanczos:
      (end.isCrowded
        ? "Lanczos found values that stand for more eigenvalues than one start tells apart; "
        : "Lanczos did not finish in the \(columns) columns it may keep; ")
        + (plan.isWorthwhile
          ? plan.sentence : "a Chebyshev filter, which keeps \(capacity) columns, finishes.")
    }
  }

  /// From the top of a long Lanczos basis, or from a sketch.
  private func preconditioner(
    _ plan: ShiftInvertPlan, _ lanczos: LanczosFactorization<Scalar>,
    _ end: LanczosSmallEnd<Scalar>
  ) throws -> NystromPreconditioner<Scalar>? {
    let (k, lowest) = (lanczos.count, end.ritz.values[0])
    if plan.harvest > 0 {
      let indices = (k - plan.harvest..<k).reversed()
      return NystromPreconditioner(
        dimension: n, eigenvalues: indices.map { end.ritz.values[$0] - lowest },
        vectors: indices.flatMap { ritzVector(lanczos, end, $0) }, damping: 0, seed: options.seed)
    }
    let columns = min(plan.sketch, left / 2)
    guard columns > 0 else { return nil }
    // The sketch needs a semidefinite map: moved up by the lower bound where it is not.
    let move = lowest >= -end.resolution ? 0 : -min(0, end.lowerBound ?? lowest)
    return try NystromPreconditioner(
      of: ShiftedMap(map, shift: Scalar(move)), columns: columns, damping: 0,
      seed: options.seed &+ 1)
  }

  private func enlarge(
    _ space: inout RitzSubspace<CountedMap<Map>>,
    with expansion: inout any SubspaceExpansion<Scalar>, _ end: LanczosSmallEnd<Scalar>
  ) throws {
    let target = max(0.9 * options.tolerance * end.scale, end.rounding)
    var best = Double.infinity
    var idle = 0
    while left > 6 {
      let open = (0..<min(options.count, space.count)).filter { space.residualNorm($0) > target }
      if open.isEmpty && space.count >= options.count { return }
      let progress = open.reduce(0.0) { $0 + space.residualNorm($1) } + Double(open.count) * target
      idle = progress < 0.99 * best ? 0 : idle + 1
      best = min(best, progress)
      if idle > 20 { return }
      let additions = try expansion.directions(
        space.lowest(options.count, open: open), left: left)
      if space.count + additions.count > space.capacity {
        space.shrink(
          to: min(space.count, space.capacity - max(additions.count, space.capacity / 2)))
      }
      if try space.append(additions) == 0 { return }
    }
  }

  /// Measures the vectors by products of their own, where the budget leaves them.
  private func outcome(
    vectors: [[Scalar]], values: [Double], estimates: [Double], _ end: LanczosSmallEnd<Scalar>,
    method: Method, choice: String
  ) throws -> Outcome {
    func reason(_ residual: Double) -> Convergence.Reason {
      residual <= options.tolerance * end.scale ? .converged : .budget
    }
    let isMeasured = options.maxApplications - map.products >= vectors.count
    var pairs: [Eigenpair<Scalar>] = []
    let products = isMeasured ? try map.block(vectors.flatMap { $0 }) : []
    for (index, vector) in vectors.enumerated() {
      let x = vector.map { Double($0) }
      guard isMeasured else {
        let residual = estimates[index] + end.rounding
        pairs.append(
          Eigenpair(
            value: values[index], residual: residual, vector: vector, reason: reason(residual)))
        continue
      }
      let y = products[index * n..<(index + 1) * n].map { Double($0) }
      let squared = Double.dot(n, x, x)
      let value = Double.dot(n, x, y) / squared
      let r = zip(y, x).map { $0 - value * $1 }
      let residual = Double.nrm2(n, r) / squared.squareRoot()
      pairs.append(
        Eigenpair(value: value, residual: residual, vector: vector, reason: reason(residual)))
    }
    pairs.sort { $0.value < $1.value }
    let judged = SmallestEndJudgement(
      pairs: pairs.map { ($0.value, $0.residual) }, products: map.products, end, method: method,
      options: options)
    return Outcome(
      pairs: pairs, lowerBound: end.lowerBound, method: method, choice: choice, scale: end.scale,
      resolution: end.resolution, convergence: judged.convergence)
  }
}
