import Diagnosis
import Foundation
import LinearMaps
import Problems
import Testing
import Training

/// Requests through JSON and back, and what is refused on the way.
@Suite struct RequestTests {
  static let table: TableRequest = {
    var table = TableRequest(file: "t.csv", target: "y")
    table.features = ["a", "b, c"]
    table.dropped = ["d"]
    table.model = .mlp(hidden: [8, 4], activation: .gelu)
    table.loss = "mse"
    table.missing = .mean
    table.kept = ["id"]
    table.intercept = false
    table.reduction = .sum
    table.standardised = true
    table.l2 = 0.125
    table.start = "s.safetensors"
    return table
  }()

  static let model: ModelFileRequest = {
    var model = ModelFileRequest(file: "m.onnx")
    model.data = "d.npz"
    model.target = "label"
    model.loss = "huber"
    model.output = "logits"
    model.lossOutput = "loss"
    model.parameters = "*.weight"
    model.frozen = "encoder.*"
    model.samples = 7
    model.batchAxis = 1
    model.training = true
    model.asLogits = true
    model.saved = "p.onnx"
    model.l2 = 0.25
    return model
  }()

  private static func training() -> TrainingSetup {
    var training = TrainingSetup()
    training.optimizer = (try? OptimizerSetting("momentum", ["momentum": 0.75])) ?? .init()
    training.rate = 0.1
    training.batch = 16
    training.sampling = .replacement
    training.steps = 20
    return training
  }

  private static func resources() -> Resources {
    var resources = Resources()
    resources.executor = .onnxRuntime
    resources.precision = .float64
    resources.memory = 1 << 20
    resources.threads = 1
    resources.effort = 0.1
    resources.seed = 9_007_199_254_740_993
    resources.isProfiled = true
    return resources
  }

  /// With every field away from its default.
  static func diagnosis(_ problem: ProblemSource) -> DiagnosisRequest {
    var request = DiagnosisRequest(problem)
    request.training = training()
    request.resources = resources()
    request.trials.areRun = false
    request.trials.tolerance = 0.3
    request.trials.maxIterations = 77
    return request
  }

  static func spectrum(
    _ problem: ProblemSource, _ preconditioning: SpectrumRequest.Preconditioning = .diagonal
  ) -> SpectrumRequest {
    var request = SpectrumRequest(of: diagnosis(problem))
    request.count = 3
    request.which = .smallest
    request.kind = .gaussNewton
    request.preconditioning = preconditioning
    request.parameters = "w*"
    request.tolerance = 1e-3
    request.densityError = 0.05
    request.trace = true
    request.diagonal = true
    request.perLayer = true
    request.intervals = true
    return request
  }

  static let problems: [ProblemSource] = [.table(table), .model(model), .memory("network")]

  static func back<T: Codable>(_ value: T) throws -> T {
    try JSONDecoder().decode(T.self, from: JSONEncoder().encode(value))
  }

  private static func object(_ value: some Encodable) throws -> [String: Any] {
    try #require(
      JSONSerialization.jsonObject(with: JSONEncoder().encode(value)) as? [String: Any])
  }

  @Test(arguments: problems)
  func `what goes into JSON comes back`(problem: ProblemSource) throws {
    #expect(try Self.back(Self.diagnosis(problem)) == Self.diagnosis(problem))
    #expect(try Self.back(DiagnosisRequest(problem)) == DiagnosisRequest(problem))
    #expect(try Self.back(SpectrumRequest(problem)) == SpectrumRequest(problem))
    let preconditionings: [SpectrumRequest.Preconditioning] = [
      .none, .features, .diagonal, .adam(secondMoments: nil), .adam(secondMoments: [1, 0.5]),
      .adamState(file: "v.npy"),
    ]
    for preconditioning in preconditionings {
      let request = Self.spectrum(problem, preconditioning)
      #expect(try Self.back(request) == request)
    }
    for entry in OptimizerCatalogue.all {
      var request = DiagnosisRequest(problem)
      request.training.optimizer = try OptimizerSetting(entry.name)
      #expect(try Self.back(request) == request)
    }
  }

  /// The names that a part of a request knows, as its refusal of another lists them.
  private static func fields<T: Codable>(_ value: T, of path: [String]) throws -> [String] {
    func adding(_ node: [String: Any], _ path: ArraySlice<String>) -> [String: Any] {
      var node = node
      if let first = path.first {
        node[first] = adding(node[first] as? [String: Any] ?? [:], path.dropFirst())
      } else {
        node["colour"] = 1
      }
      return node
    }
    let data = try JSONSerialization.data(withJSONObject: adding(object(value), path[...]))
    let error = try #require(throws: RequestError.self) {
      try JSONDecoder().decode(T.self, from: data)
    }
    #expect(error.field == (path + ["colour"]).joined(separator: "."))
    let marker = "is no field; there are "
    #expect(error.complaint.hasPrefix(marker))
    return error.complaint.dropFirst(marker.count).components(separatedBy: ", ")
  }

  /// Every field is written, and with another value than its default: so the tests above leave none out.
  @Test func `no field is forgotten`() throws {
    func check<T: Codable>(_ full: T, _ plain: T, _ path: [String], except: [String] = []) throws {
      func part(_ value: T) throws -> [String: Any] {
        try path.reduce(Self.object(value)) { $0[$1] as? [String: Any] ?? [:] }
      }
      let (given, standard) = (try part(full), try part(plain))
      let fields = try Self.fields(full, of: path)
      #expect(Set(given.keys) == Set(fields), "\(path)")
      for field in fields where !except.contains(field) {
        let (a, b) = (given[field] as? NSObject, standard[field] as? NSObject)
        #expect(a != nil && a != b, "\(path) \(field)")
      }
    }
    let tables = (
      Self.diagnosis(.table(Self.table)),
      DiagnosisRequest(.table(TableRequest(file: "", target: "")))
    )
    let models = (
      Self.diagnosis(.model(Self.model)), DiagnosisRequest(.model(ModelFileRequest(file: "")))
    )
    try check(tables.0, tables.1, [], except: ["schema"])
    try check(tables.0, tables.1, ["problem", "table"])
    try check(models.0, models.1, ["problem", "model"])
    for part in ["training", "resources", "trials"] { try check(tables.0, tables.1, [part]) }
    let spectra = (Self.spectrum(.table(Self.table)), SpectrumRequest(tables.1.problem))
    try check(spectra.0, spectra.1, [], except: ["schema"])
    #expect(try Self.fields(tables.0, of: ["problem"]) == ["table", "model", "memory"])
    #expect(
      try Self.fields(spectra.0, of: ["preconditioning"]) == ["name", "secondMoments", "file"])
  }

  /// A JSON text, the field that is wrong, and words of what is said of it.
  static let refused: [(json: String, field: String, words: String)] = {
    func request(_ rest: String) -> String {
      #"{"schema": "eigenstep.request.diagnosis/1", "problem": {"memory": "m"}\#(rest)}"#
    }
    func problem(_ text: String) -> String {
      #"{"schema": "eigenstep.request.diagnosis/1", "problem": \#(text)}"#
    }
    return [
      ("{}", "schema", "is missing"),
      (#"{"schema": "eigenstep.request.spectrum/1"}"#, "schema", "eigenstep.request.diagnosis/1"),
      (#"{"schema": "eigenstep.request.diagnosis/1"}"#, "problem", "is missing"),
      (problem("3"), "problem", "another kind; give an object"),
      (problem("{}"), "problem", "names 0 problems; give one of"),
      (
        problem(#"{"memory": "m", "model": {"file": "m.onnx"}}"#), "problem",
        "names 2 problems; give one of"
      ),
      (problem(#"{"table": {"target": "y"}}"#), "problem.table.file", "is missing"),
      (problem(#"{"table": {"file": "t.csv"}}"#), "problem.table.target", "is missing"),
      (problem(#"{"table": {"file": 3, "target": "y"}}"#), "problem.table.file", "give a text"),
      (
        problem(#"{"table": {"file": "t.csv", "target": "y", "dropped": "a"}}"#),
        "problem.table.dropped", "give a list"
      ),
      (
        problem(#"{"table": {"file": "t.csv", "target": "y", "missing": "zero"}}"#),
        "problem.table.missing", "one of leave-out, mean, refuse"
      ),
      (
        problem(#"{"table": {"file": "t.csv", "target": "y", "l2": -1}}"#), "problem.table.l2",
        "is -1.0, but it must be 0 or more"
      ),
      (
        problem(#"{"model": {"file": "m.onnx", "samples": 1.5}}"#), "problem.model.samples",
        "cannot have"
      ),
      (
        problem(#"{"model": {"file": "m.onnx", "samples": 0}}"#), "problem.model.samples",
        "is 0, but it must be at least 1"
      ),
      (
        problem(#"{"model": {"file": "m.onnx", "training": 1}}"#), "problem.model.training",
        "give true or false"
      ),
      (request(#", "training": []"#), "training", "another kind"),
      (request(#", "training": {"rate": "fast"}"#), "training.rate", "give a number"),
      (request(#", "training": {"rate": 0}"#), "training.rate", "a number above 0"),
      (request(#", "training": {"batch": 0}"#), "training.batch", "at least 1"),
      (request(#", "training": {"steps": -1}"#), "training.steps", "at least 0"),
      (
        request(#", "training": {"rate": 1, "steps": 1000000001}"#), "training.steps", "at most"
      ),
      (request(#", "training": {"steps": 5}"#), "training.steps", "needs training.rate"),
      (request(#", "training": {"optimizer": {}}"#), "training.optimizer", "is incomplete"),
      (
        request(#", "resources": {"executor": "tpu"}"#), "resources.executor",
        "one of auto, onnxruntime"
      ),
      (
        request(#", "resources": {"precision": "float16"}"#), "resources.precision",
        "one of float32"
      ),
      (request(#", "resources": {"memory": 0}"#), "resources.memory", "at least 1"),
      (request(#", "resources": {"threads": 0}"#), "resources.threads", "at least 1"),
      (request(#", "resources": {"effort": 0}"#), "resources.effort", "a number above 0"),
      (request(#", "resources": {"seed": -4}"#), "resources.seed", "at least 0"),
      (request(#", "resources": {"isProfiled": "yes"}"#), "resources.isProfiled", "true or false"),
      (request(#", "trials": {"areRun": 3}"#), "trials.areRun", "give true or false"),
      (request(#", "trials": {"tolerance": 1}"#), "trials.tolerance", "between 0 and 1"),
      (request(#", "trials": {"maxIterations": 0}"#), "trials.maxIterations", "at least 1"),
      (request(#", "trials": {"maxIterations": 1.5}"#), "trials.maxIterations", "cannot have"),
    ]
  }()

  @Test(arguments: refused)
  func `a wrong field is named`(json: String, field: String, words: String) throws {
    let error = try #require(throws: RequestError.self, "\(json)") {
      try JSONDecoder().decode(DiagnosisRequest.self, from: Data(json.utf8))
    }
    #expect(error.field == field && error.complaint.contains(words), "\(error)")
    #expect("\(error)" == "The request's \(field) \(error.complaint).")
  }

  static let refusedSpectra: [(fields: String, field: String, words: String)] = [
    (#""count": 0"#, "count", "at least 1"), (#""count": "five""#, "count", "a whole number"),
    (#""which": "middle""#, "which", "one of largest"),
    (#""kind": "hesse""#, "kind", "one of hessian"),
    (#""tolerance": 1"#, "tolerance", "between 0 and 1"),
    (#""densityError": 0"#, "densityError", "between 0 and 1"),
    (#""parameters": ["w"]"#, "parameters", "give a text"),
    (#""trace": 1"#, "trace", "true or false"), (#""diagonal": 1"#, "diagonal", "true or false"),
    (#""perLayer": 1"#, "perLayer", "true or false"),
    (#""intervals": 1"#, "intervals", "true or false"),
    (#""preconditioning": {}"#, "preconditioning.name", "is missing"),
    (
      #""preconditioning": {"name": "features", "file": "v.npy"}"#, "preconditioning",
      "takes neither"
    ),
    (
      #""preconditioning": {"name": "adam", "file": "v.npy", "secondMoments": [1]}"#,
      "preconditioning", "give one of them"
    ),
    (#""preconditioning": {"name": "jacobi"}"#, "preconditioning.name", "is 'jacobi'"),
    (
      #""preconditioning": {"name": "adam", "secondMoments": 3}"#, "preconditioning.secondMoments",
      "give a list"
    ),
  ]

  @Test(arguments: refusedSpectra)
  func `a wrong field of a spectrum is named`(fields: String, field: String, words: String) throws {
    let json =
      #"{"schema": "eigenstep.request.spectrum/1", "problem": {"memory": "m"}, \#(fields)}"#
    let error = try #require(throws: RequestError.self, "\(json)") {
      try JSONDecoder().decode(SpectrumRequest.self, from: Data(json.utf8))
    }
    #expect(error.field == field && error.complaint.contains(words), "\(error)")
  }

  /// Of what is set by a program, not read, the same is refused before a file is opened.
  @Test func `a program's request is checked as well`() throws {
    let changes: [(field: String, change: (inout DiagnosisRequest) -> Void)] = [
      ("problem.table.l2", { $0.problem = .table(Self.changed(Self.table) { $0.l2 = .nan }) }),
      (
        "problem.model.samples",
        { $0.problem = .model(Self.changed(Self.model) { $0.samples = -1 }) }
      ),
      (
        "problem.table.model",
        {
          $0.problem = .table(
            Self.changed(Self.table) { $0.model = .mlp(hidden: [3, -1], activation: .relu) })
        }
      ),
      (
        "problem.table.dropped",
        { $0.problem = .table(Self.changed(Self.table) { $0.dropped = [$0.target] }) }
      ),
      (
        "problem.model.saved",
        { $0.problem = .model(Self.changed(Self.model) { $0.saved = "w.npz" }) }
      ),
      ("training.batch", { $0.training.batch = 0 }),
      ("training.sampling", { $0.training.sampling = .replacement }),
      ("resources.threads", { $0.resources.threads = 100_000 }),
      ("training.rate", { $0.training.rate = .infinity }),
      ("resources.memory", { $0.resources.memory = -1 }),
      ("resources.effort", { $0.resources.effort = .nan }),
      ("trials.tolerance", { $0.trials.tolerance = 0 }),
    ]
    for (field, change) in changes {
      var request = DiagnosisRequest(.table(TableRequest(file: "/no/such.csv", target: "y")))
      change(&request)
      let error = try #require(throws: RequestError.self, "\(field)") { try diagnose(request) }
      #expect(error.field == field)
      let other = try #require(throws: RequestError.self, "\(field)") {
        var spectrum = SpectrumRequest(of: request)
        if field == "trials.tolerance" { spectrum.tolerance = 0 }
        _ = try measureSpectrum(spectrum)
      }
      #expect(other.field == field || field == "trials.tolerance" && other.field == "tolerance")
    }
  }

  private static func changed<T>(_ value: T, _ change: (inout T) -> Void) -> T {
    var value = value
    change(&value)
    return value
  }

  @Test func `an optimizer that is none`() throws {
    let json = #"""
      {"schema": "eigenstep.request.diagnosis/1", "problem": {"memory": "m"},
       "training": {"optimizer": {"name": "momentum", "momentum": 1}}}
      """#
    let error = try #require(throws: CatalogueError.self) {
      try JSONDecoder().decode(DiagnosisRequest.self, from: Data(json.utf8))
    }
    #expect("\(error)".contains("momentum is 1.0, but it must be at least 0 and below 1"))
    let unknown = json.replacingOccurrences(of: #""name": "momentum""#, with: #""name": "sdg""#)
    #expect(
      throws: CatalogueError.unknown(
        "sdg", kind: "optimizer", known: OptimizerCatalogue.all.map(\.name))
    ) {
      try JSONDecoder().decode(DiagnosisRequest.self, from: Data(unknown.utf8))
    }
  }

  @Test func `a file's ending tells what it is`() throws {
    #expect(
      DiagnosisRequest(file: "a.csv", target: "y").problem
        == .table(TableRequest(file: "a.csv", target: "y")))
    guard case .model(let model) = DiagnosisRequest(file: "A.ONNX", target: "label").problem else {
      Issue.record("no model")
      return
    }
    #expect(model.file == "A.ONNX" && model.target == "label" && model.data == nil)
  }
}
