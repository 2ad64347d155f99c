import Diagnosis
import Foundation
import Problems
import Testing
import Training

/// Requests to train through JSON and back, and what is refused on the way.
@Suite struct TrainingRequestTests {
  /// With every field away from its default.
  static func full(_ problem: ProblemSource) -> TrainingRequest {
    var request = TrainingRequest(problem)
    request.optimizer = (try? TrainingMethod("momentum", ["momentum": 0.75])) ?? .init()
    request.then = try? CatalogueSetting("lbfgs")
    request.rate = .number(0.1)
    request.schedule = (try? ScheduleSetting(ScheduleCatalogue.all.last?.name ?? "")) ?? .init()
    request.warmUp = 0.1
    var batches = BatchSetup(size: 8)
    (batches.sampling, batches.last, batches.accumulation) = (.replacement, .dropped, 2)
    request.batches = batches
    request.epochs = 3
    request.rules.clipValue = 2
    request.rules.clipNorm = 1
    request.rules.weightDecay = 0.01
    request.rules.undecayed = "*.bias"
    request.rules.rates = [.init(parameters: "layer1.*", factor: 0.1)]
    request.rules.rateFile = "rates.npz"
    request.heldOut = .share(0.25)
    request.patience = 4
    request.trackers = TrackerCatalogue.all.compactMap { try? TrackerSetting($0.name) }
    request.guarding = .warn
    request.files.checkpoints = "c"
    request.files.kept = 5
    request.files.checkpointPeriod = 7
    request.files.resumes = true
    request.files.log = "log"
    request.files.saved = "w.safetensors"
    request.resources.seed = 9
    return request
  }

  private func back(_ request: TrainingRequest) throws -> TrainingRequest {
    try JSONDecoder().decode(TrainingRequest.self, from: JSONEncoder().encode(request))
  }

  @Test(arguments: RequestTests.problems)
  func `what goes into JSON comes back`(problem: ProblemSource) throws {
    #expect(try back(Self.full(problem)) == Self.full(problem))
    var other = Self.full(problem)
    (other.epochs, other.steps) = (nil, 12)
    (other.rate, other.schedule) = (.automatic, ScheduleSetting())
    other.heldOut = .file("h.csv")
    other.then = try CatalogueSetting("lbfgs", ["pairs": 4])
    other.switching = try CatalogueSetting("stalled", ["latest": 90])
    #expect(try back(other) == other)
    for name in TrainingMethod.names {
      var request = TrainingRequest(problem)
      request.optimizer = try TrainingMethod(name)
      request.steps = 3
      request.rate = .number(1)
      #expect(try back(request) == request)
    }
  }

  @Test func `every field is written`() throws {
    let data = try JSONEncoder().encode(Self.full(.table(RequestTests.table)))
    let object = try #require(JSONSerialization.jsonObject(with: data) as? [String: Any])
    let fields = [
      "schema", "problem", "optimizer", "then", "switching", "rate", "schedule", "warmUp",
      "batches",
      "epochs",
      "rules",
      "heldOut", "patience", "trackers", "guarding", "files", "resources",
    ]
    #expect(Set(object.keys) == Set(fields))
    let parts = [
      "batches": ["size", "sampling", "last", "accumulation"],
      "rules": ["clipValue", "clipNorm", "weightDecay", "undecayed", "rates", "rateFile"],
      "files": ["checkpoints", "kept", "checkpointPeriod", "resumes", "log", "saved"],
    ]
    for (part, fields) in parts {
      #expect(Set((object[part] as? [String: Any] ?? [:]).keys) == Set(fields))
    }
  }

  static let refused: [(fields: String, field: String, words: String)] = [
    (#""rate": 0.1"#, "steps", "is missing"),
    (#""rate": 0.1, "steps": 3, "epochs": 2"#, "steps", "give one of them"),
    (#""steps": 3"#, "rate", "is missing"), (#""rate": 0, "steps": 3"#, "rate", "above 0"),
    (#""rate": "fast", "steps": 3"#, "rate", "auto"),
    (#""rate": 0.1, "steps": 0"#, "steps", "at least 1"),
    (#""rate": 0.1, "steps": 3, "batches": {"size": 0}"#, "batches.size", "at least 1"),
    (#""rate": 0.1, "steps": 3, "batches": {"sampling": "shuffle"}"#, "batches.size", "is missing"),
    (
      #""rate": 0.1, "steps": 3, "batches": {"size": 1, "sampling": "x"}"#, "batches.sampling",
      "one of"
    ),
    (#""rate": 0.1, "steps": 3, "patience": 2"#, "patience", "needs `heldOut`"),
    (
      #""optimizer": {"name": "lbfgs"}, "steps": 3, "schedule": {"name": "cosine"}"#, "schedule",
      "the method lbfgs finds the length of its steps by itself"
    ),
    (#""optimizer": {"name": "bfgs"}, "steps": 3, "warmUp": 2"#, "warmUp", "leave it out"),
    (
      #""rate": 0.1, "steps": 3, "switching": {"name": "stalled", "latest": 2}"#, "switching",
      "needs `then`"
    ),
    (#""rate": 0.1, "steps": 3, "heldOut": {}"#, "heldOut", "one of share and file"),
    (#""rate": 0.1, "steps": 3, "heldOut": {"share": 1}"#, "heldOut.share", "between 0 and 1"),
    (#""rate": 0.1, "steps": 3, "rules": {"clipNorm": -1}"#, "rules.clipNorm", "above 0"),
    (#""rate": 0.1, "steps": 3, "rules": {"colour": 1}"#, "rules.colour", "is no field"),
    (#""rate": 0.1, "steps": 3, "files": {"resumes": true}"#, "files.resumes", "files.checkpoints"),
    (#""rate": 0.1, "steps": 3, "files": {"saved": "w.npz"}"#, "files.saved", "safetensors"),
    (#""rate": 0.1, "steps": 3, "colour": 1"#, "colour", "is no field"),
    (
      #""steps": 3, "optimizer": {"name": "lion"}, "schedule": {"name": "sharpness-following"}"#,
      "schedule", "no stability limit of lion is known"
    ),
    (
      #""steps": 3, "optimizer": {"name": "lbfgs"}, "schedule": {"name": "critical-sharpness"}"#,
      "schedule", "the method lbfgs finds the length of its steps by itself"
    ),
    (
      #""steps": 3, "rate": "auto", "schedule": {"name": "curvature-dynamics-aware"}"#, "rate",
      "measures its rates: leave it out"
    ),
    (
      #""steps": 3, "rate": "auto", "rules": {"rates": [{"parameters": "*", "rate": 0.1}]}"#,
      "rules.rates", "has to be a number"
    ),
    (
      #""steps": 3, "rate": 1, "rules": {"rates": [{"parameters": "*", "rate": 0.1, "factor": 2}]}"#,
      "rules.rates", "one of factor and rate"
    ),
    (
      #""steps": 3, "rate": 1, "rules": {"rates": [{"parameters": "*", "rate": -1}]}"#,
      "rules.rates rate of '*'", "0 or more"
    ),
  ]

  @Test(arguments: refused)
  func `a wrong field is named`(fields: String, field: String, words: String) throws {
    let json =
      #"{"schema": "eigenstep.request.training/1", "problem": {"memory": "m"}, \#(fields)}"#
    let error = try #require(throws: RequestError.self, "\(json)") {
      try JSONDecoder().decode(TrainingRequest.self, from: Data(json.utf8))
    }
    #expect(error.field == field && error.complaint.contains(words), "\(error)")
  }

  /// One that measures needs no rate, and goes with an optimizer that a method follows.
  @Test func `schedules that measure need no rate`() throws {
    for (schedule, optimizer) in [
      ("sharpness-following", "adam"), ("curvature-dynamics-aware", "lion"),
      ("critical-sharpness", "muon"),
    ] {
      var request = TrainingRequest(.table(RequestTests.table))
      (request.steps, request.schedule) = (3, try ScheduleSetting(schedule))
      request.optimizer = try TrainingMethod(optimizer)
      try request.check()
      request.then = try CatalogueSetting("lbfgs")
      request.rate = .number(0.5)
      try request.check()
    }
  }

  @Test func `an unknown optimizer is told the nearest of both catalogues`() throws {
    let error = try #require(throws: CatalogueError.self) { try TrainingMethod("nesterow") }
    #expect("\(error)".contains("did you mean nesterov?"))
    #expect(Set(TrainingMethod.names).count == TrainingMethod.names.count)
  }
}
