import Foundation
import TensorPrograms
import Testing

@testable import OnnxBackend

/// A single-operator case of the onnx package: a model, its inputs and the outputs expected of it.
final class ConformanceCase: Sendable, CustomTestStringConvertible {
  let name: String
  private let folder: URL
  private let lock = NSLock()
  nonisolated(unsafe) private var known: Outcome?

  /// What became of a case.
  struct Outcome: Sendable {
    /// The operator that the case is about.
    var operation: String
    var failures: [String] = []
    var skipped: String?
    var firstDerivative = Derivative.none("not a floating-point function")
    var secondDerivative = Derivative.none("not a floating-point function")
  }

  enum Derivative: Equatable, Sendable {
    case checked
    case none(String)
  }

  var testDescription: String { name }

  init(_ folder: URL) {
    self.folder = folder
    name = folder.lastPathComponent
  }

  static let root = URL(
    fileURLWithPath: ProcessInfo.processInfo.environment["EIGENSTEP_ROOT"]
      ?? URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().path)
  private static let store = root.appendingPathComponent(".eigenstep/conformance")

  /// The version of the onnx package that made the cases.
  static let version = try? String(
    contentsOf: store.appendingPathComponent("VERSION"), encoding: .utf8
  ).trimmingCharacters(in: .whitespacesAndNewlines)

  /// Whether the bootstrap fetched the package: from then on cases that are missing are a failure.
  static let isFetched =
    version != nil
    || FileManager.default.fileExists(atPath: root.appendingPathComponent(".eigenstep/onnx").path)

  static let all: [ConformanceCase] =
    ((try? FileManager.default.contentsOfDirectory(atPath: store.path)) ?? [])
    .filter { $0.hasPrefix("test_") }.sorted()
    .map { ConformanceCase(store.appendingPathComponent($0)) }

  /// Runs the case, once.
  var outcome: Outcome {
    lock.withLock {
      if let known { return known }
      let outcome = run()
      known = outcome
      return outcome
    }
  }

  // MARK: Running

  private static let onnx = Result { try OnnxExecutor(cacheCapacity: 1) }

  /// Cases whose expected outputs no other implementation can meet, by the start of their names.
  private static let unreproducible = [
    ("test_training_dropout", "the expected values are one draw of NumPy's random numbers"),
    ("test_bernoulli", "the expected values are one draw of NumPy's random numbers"),
    ("test_dynamicquantizelinear", "integers are not rounded, and any scale stands for them"),
  ]

  private func run() -> Outcome {
    let data: Data
    let proto: Onnx_ModelProto
    do {
      data = try Data(contentsOf: folder.appendingPathComponent("model.onnx"))
      proto = try Onnx_ModelProto(serializedBytes: data)
    } catch { return Outcome(operation: "?", failures: ["\(error)"]) }
    var outcome = Outcome(operation: operation(of: proto))
    if let (_, reason) = Self.unreproducible.first(where: { name.hasPrefix($0.0) }) {
      outcome.skipped = reason
      return outcome
    }
    if let reason = unsupported(proto.graph) {
      outcome.skipped = reason
      return outcome
    }
    do {
      let traced = try TracedCase(self, data, proto, element: nil)
      let expected = try tensors("output", proto.graph.output.count)
      let tolerance = try tolerance(proto.graph)
      let isQuantised = proto.graph.node.contains {
        $0.opType.contains("Quantize") || $0.opType.hasPrefix("QLinear")
          || $0.opType.hasSuffix("Integer")
      }
      outcome.failures += try difference(
        ReferenceExecutor().compile(traced.program).run(traced.inputs), expected, tolerance,
        isQuantised: isQuantised
      ).map { "interpreter: \($0)" }
      outcome.failures += try difference(
        Self.onnx.get().compile(traced.program).run(traced.inputs), expected, tolerance,
        isQuantised: isQuantised
      ).map { "ONNX Runtime: \($0)" }
    } catch let error as OnnxModelError {
      outcome.skipped = reason(error.description, proto.graph)
      return outcome
    } catch {
      outcome.failures.append("\(error)")
    }
    if outcome.failures.isEmpty { checkDerivatives(data, proto, &outcome) }
    return outcome
  }

  private func checkDerivatives(
    _ data: Data, _ proto: Onnx_ModelProto, _ outcome: inout Outcome
  ) {
    do {
      let traced = try TracedCase(self, data, proto, element: .float64)
      guard let check = DerivativeCheck(traced.program, traced.inputs) else { return }
      let result = try check.run()
      (outcome.firstDerivative, outcome.secondDerivative) = (result.first, result.second)
      outcome.failures += result.failures
    } catch {
      outcome.failures.append("derivative: \(error)")
    }
  }

  /// An expanded case has its operator's body for a graph, and the name of the plain case before.
  private func operation(of proto: Onnx_ModelProto) -> String {
    if let range = name.range(of: "_expanded") {
      let plain = folder.deletingLastPathComponent()
        .appendingPathComponent(String(name[..<range.lowerBound]) + "/model.onnx")
      if let data = try? Data(contentsOf: plain),
        let model = try? Onnx_ModelProto(serializedBytes: data), model.graph.node.count == 1
      {
        return model.graph.node[0].qualifiedName
      }
    }
    return proto.graph.node.count == 1
      ? proto.graph.node[0].qualifiedName : proto.graph.node.last?.qualifiedName ?? "?"
  }

  private func unsupported(_ graph: Onnx_GraphProto) -> String? {
    var missing: Set<String> = []
    graph.node.forEachNested { node in
      if OperatorCatalogue.rule(node.opType, domain: node.canonicalDomain) == nil {
        missing.insert(node.qualifiedName)
      }
    }
    if !missing.isEmpty { return "no rule for \(missing.sorted().joined(separator: ", "))" }
    for info in graph.input + graph.output {
      guard case .tensorType(let type)? = info.type.value else {
        return "sequences, maps and optional values"
      }
      if TensorFormat(rawValue: type.elemType) == nil {
        return "element type \(TensorReader.name(type.elemType))"
      }
    }
    return nil
  }

  /// The refusal without the names of this one case.
  private func reason(_ text: String, _ graph: Onnx_GraphProto) -> String {
    if let range = text.range(of: "has the element type ") {
      return "element type \(text[range.upperBound...].prefix { $0 != "," && $0 != ";" })"
    }
    guard let range = text.range(of: "): ") else { return text }
    return String(text[range.upperBound...])
  }

  /// Half precision is computed with in float32: four units in its last place are allowed.
  private func tolerance(
    _ graph: Onnx_GraphProto
  ) throws -> (relative: Double, absolute: Double) {
    let types = (graph.input + graph.output).map(\.type.tensorType.elemType)
      .compactMap(TensorFormat.init)
    let half = types.contains(.bfloat16) ? 0x1p-6 : types.contains(.float16) ? 0x1p-9 : 0
    let data = try Data(contentsOf: folder.appendingPathComponent("tolerance.json"))
    let values = try JSONDecoder().decode([String: Double].self, from: data)
    // Where numbers near 50 cancel, a fast transform cancels them exactly, a product to rounding.
    let least = name.hasPrefix("test_dft") ? 1e-5 : 0
    return (max(values["rtol"] ?? 1e-3, half), max(least, values["atol"] ?? 1e-7, half))
  }

  private func difference(
    _ results: [Tensor], _ expected: [Tensor?], _ tolerance: (relative: Double, absolute: Double),
    isQuantised: Bool
  ) -> [String] {
    zip(results, expected).enumerated().compactMap { index, pair in
      guard let expected = pair.1 else { return nil }
      // Integers of a quantisation are real numbers here: what they would be rounded from.
      let isUnrounded = pair.0.element.isFloating && !expected.element.isFloating && isQuantised
      guard pair.0.type == expected.type || isUnrounded && pair.0.shape == expected.shape else {
        return "output \(index) is \(pair.0.type), not \(expected.type)"
      }
      let agrees = zip(pair.0.doubles, expected.doubles).allSatisfy { x, y in
        x == y || (x.isNaN && y.isNaN)
          || abs(x - y) <= tolerance.absolute + tolerance.relative * abs(y)
          || isUnrounded && abs(x - y) <= 0.5 + 1e-4
      }
      return agrees ? nil : "output \(index) is \(pair.0), not \(expected)"
    }
  }

  /// The tensors of the case's files; nil for one that is left out.
  func tensors(_ kind: String, _ count: Int) throws -> [Tensor?] {
    let reader = TensorReader(folder: nil, floating: nil, limits: .init())
    return try (0..<count).map { index in
      let file = folder.appendingPathComponent("\(kind)_\(index).pb")
      guard let data = try? Data(contentsOf: file) else { return nil }
      return try reader.tensor(Onnx_TensorProto(serializedBytes: data), named: "\(kind)_\(index)")
    }
  }
}

extension Onnx_NodeProto {
  fileprivate var qualifiedName: String {
    canonicalDomain.isEmpty ? opType : "\(canonicalDomain).\(opType)"
  }
}

/// A case's model as a program, with the inputs that must be known at import as constants.
struct TracedCase {
  let program: Program
  let inputs: [Tensor]

  /// - Parameter element: the type that floating-point values take.
  init(
    _ conformanceCase: ConformanceCase, _ data: Data, _ proto: Onnx_ModelProto,
    element: ElementType?
  ) throws {
    let model = try OnnxModel(data: data, element: element)
    let given = try conformanceCase.tensors("input", proto.graph.input.count).map { tensor in
      guard let tensor, let element, tensor.element.isFloating else { return tensor }
      return Tensor(tensor.doubles, type: TensorType(element, tensor.shape))
    }
    var known: Set<String> = []
    for node in proto.graph.node {
      let rule = OperatorCatalogue.rule(node.opType, domain: node.canonicalDomain)
      let constants = rule?.constants ?? []
      // An operator that takes nothing but constants has derivative zero; most can be computed all
      // the same.
      if constants.count < OperatorRule.everyInput.count {
        known.formUnion(constants.filter(node.input.indices.contains).map { node.input[$0] })
      }
    }
    let names = proto.graph.input.map(\.name)
    func attempt(_ isKnown: (Int) -> Bool) throws -> (Program, [Tensor]) {
      let moving = names.indices.filter { given[$0] != nil && !isKnown($0) }
      let builder = ProgramBuilder()
      var values: [String: Traced] = [:]
      for index in moving { values[names[index]] = builder.input(given[index]!.type) }
      for index in names.indices where isKnown(index) {
        values[names[index]] = given[index].map(builder.constant)
      }
      let outputs = try model.trace(
        inputs: values, outputs: model.outputs, builder: builder)
      return (try builder.build(outputs), moving.map { given[$0]! })
    }
    let integral = { (index: Int) in !(given[index]?.element.isFloating ?? false) }
    do {
      (program, inputs) = try attempt { known.contains(names[$0]) }
    } catch let first as OnnxModelError {
      do {
        (program, inputs) = try attempt { known.contains(names[$0]) || integral($0) }
      } catch {
        do {
          // Numbers that make up a range or a loop's bounds.
          (program, inputs) = try attempt {
            known.contains(names[$0]) || integral($0) || given[$0]?.shape.rank == 0
          }
        } catch { throw first }
      }
    }
  }
}
