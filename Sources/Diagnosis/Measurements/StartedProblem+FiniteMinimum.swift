import Curvature
import LinearMaps
import TensorPrograms

extension StartedProblem {
  /// Whether the loss has a minimum at finite parameters.
  func finiteMinimum() -> FiniteMinimum {
    if let table = problem.table, [.softmax, .logistic].contains(table.model) {
      return classesMinimum(table)
    }
    return (try? networkMinimum()) ?? .unknown
  }

  /// Operations that the search may take.
  private var separationLimit: Double { min(2e10, 2e-3 * budget.limit) }

  /// Softmax regression of a table, or that of one logit, which is the softmax of two classes in the
  /// difference of their weights.
  ///
  /// With a penalty `c/2 ||W||^2` on the weights the loss has a minimum if and only if every class has a
  /// row. A convex function has one if the directions along which it never rises are those along which
  /// it never changes (Rockafellar, "Convex Analysis" (1970), theorem 27.1). The penalty rises along every
  /// direction with weights, so only biases are left, and a change `b` of them never raises the loss where
  /// `b_y >= b_c` for the class `y` of each row and every class `c`. If every class has a row, all `b_c`
  /// are equal, which changes nothing; a class without rows can sink alone, and the loss falls all the
  /// way. Two penalties that differ by column, as after standardising, make no difference. Without biases
  /// a penalty is enough.
  private func classesMinimum(_ table: TabularProblem) -> FiniteMinimum {
    guard case .classes(let indices, let classes) = table.target else { return .unknown }
    let labels = indices.map { Int($0) }
    let empty = classes - Set(labels).count
    guard empty == 0 || classes < 2 || !table.hasIntercept else {
      return .emptyClasses(empty, called: "row")
    }
    guard table.l2 == 0 else { return .exists }
    switch ClassSeparation(
      features: problem.data(Scalar.element)[0].doubles, columns: table.featureCount,
      labels: labels, classes: classes, hasConstant: table.hasIntercept,
      maxOperations: separationLimit,
      isCancelled: context.isCancelled)
    {
    case .complete: return .separable
    case .partial: return .partlySeparable
    case .overlapping: return .exists
    case .undecided: return .unknown
    }
  }

  /// A network that ends in a linear layer, under cross-entropy or the binary loss.
  ///
  /// Where the features that this layer reads at the point separate the classes completely, the layer
  /// alone takes the loss to zero, which no finite parameters reach. Where they do so in part, or overlap,
  /// nothing follows for a network, whose features change.
  private func networkMinimum() throws -> FiniteMinimum {
    // Of some samples only, what holds need not hold for all.
    guard whole == nil, let definition = problem.definition, let composite = definition.composite,
      let family = composite.distribution?.family, family != .gaussian,
      ["cross-entropy", "binary"].contains(problem.lossName), let target = problem.data.last,
      budget.affords("whether the classes can be told apart", products: 1, share: 0.02),
      let head = try definition.linearHead(
        problem.data(Scalar.element), at: point, executor: executor, maxNumbers: 10_000_000)
    else { return .unknown }
    let values = target.doubles
    // One problem per task: all classes together, or each output by itself.
    var tasks: [(labels: [Int], classes: Int)] = []
    if family == .categorical {
      guard values.count == head.rows, !target.element.isFloating, head.outputs > 1 else {
        return .unknown
      }
      tasks = [(values.map { Int($0) }, head.outputs)]
    } else {
      guard values.count == head.rows * head.outputs, values.allSatisfy({ $0 == 0 || $0 == 1 })
      else { return .unknown }
      tasks = (0..<head.outputs).map { output in
        ((0..<head.rows).map { Int(values[$0 * head.outputs + output]) }, 2)
      }
    }
    let isBiasFree = try head.bias.map { try isUnpenalised($0, definition) } ?? false
    let empty = tasks.reduce(0) { $0 + $1.classes - Set($1.labels).count }
    if isBiasFree, empty > 0 { return .emptyClasses(empty, called: "sample") }
    guard composite.penalty == nil else { return .unknown }
    // Without other parameters the features stay as they are, and the loss is convex.
    let isWhole = problem.parameters.count == (head.bias == nil ? 1 : 2)
    var separations: [ClassSeparation] = []
    for task in tasks {
      separations.append(
        ClassSeparation(
          features: head.features, columns: head.width, labels: task.labels, classes: task.classes,
          hasConstant: head.bias != nil, rounding: isWhole ? 0 : 64 * Double(Scalar.ulpOfOne),
          maxOperations: separationLimit / Double(tasks.count), isCancelled: context.isCancelled))
      guard isWhole || separations.last == .complete else { return .unknown }
    }
    if separations.allSatisfy({ $0 == .complete }) { return .separable }
    if separations.contains(where: \.isSeparable) { return .partlySeparable }
    return separations.contains(.undecided) ? .unknown : .exists
  }

  /// Whether the penalty leaves out the parameter of this index.
  private func isUnpenalised(_ index: Int, _ definition: LossDefinition) throws -> Bool {
    guard let penalty = definition.composite?.penalty else { return true }
    let program = try Program.trace(definition.parameterTypes(Scalar.element)) {
      [penalty($0)]
    }
    return !program.differentiableInputs()[index]
  }
}
