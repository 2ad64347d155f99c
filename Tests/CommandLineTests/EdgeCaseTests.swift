import Diagnosis
import Foundation
import ProgramRuns
import Testing
import Training

/// Tables and options that are odd but must work, through the built program.
@Suite struct EdgeCaseTests {
  struct Row: Sendable, CustomTestStringConvertible {
    let name: String
    let table: String
    let options: [String]
    /// The findings that there must be, and no others beside `usual`.
    let findings: [String]
    var testDescription: String { name }

    init(_ name: String, _ table: String, options: [String] = [], findings: [String]) {
      self.name = name
      self.table = table
      self.options = options
      self.findings = findings
    }
  }

  /// Findings that go with almost any table of a few rows.
  static let usual: Set = ["reference-loss", "sample-too-small", "step-truncation"]

  /// Numbers from a linear congruence: the same on every platform.
  static func table(_ rows: Int, target: (Double, Double, Int) -> String) -> String {
    var state: UInt64 = 7
    func number() -> Double {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return (Double(state >> 40) / 16_777_216 * 2000).rounded() / 500 - 2
    }
    return "a,b,y\n"
      + (0..<rows).map { row -> String in
        let (a, b) = (number(), number())
        return "\(a),\(b),\(target(a, b, row))\n"
      }.joined()
  }

  static let numeric = table(25) { a, b, row in "\(a - 2 * b + 0.1 * Double(row % 5))" }
  static let classes = table(24) { a, b, row in a + b > Double(row % 3) - 1 ? "yes" : "no" }

  /// Columns of very different sizes, on which a network's training blows up.
  static let raw =
    "a,b,c,y\n"
    + (0..<40).map {
      "\($0 * 7919 % 1600),\(Double($0 % 7) / 10),\($0 * 31 % 90),\($0 * 104_729 % 1500)\n"
    }
    .joined()

  static let rows: [Row] = [
    Row(
      "a constant column", "a,b,y\n1,7,3.5\n2,7,4.5\n3,7,6.5\n",
      findings: ["ill-conditioned", "flat-directions", "constant-columns"]),
    Row(
      "more features than samples", "a,b,c,d,y\n1,7,1,3,1.5\n3,1,5,2,2.5\n",
      findings: ["flat-directions", "few-samples"]
    ),
    Row(
      "tiny values", "a,b,y\n1e-300,7,1.5\n3e-300,1,2.5\n2e-300,2,3.5\n",
      findings: ["ill-conditioned", "flat-directions"]),
    Row(
      "a huge target", "a,b,y\n1,7,1.5e100\n3,1,2.5e100\n2,2,3.5e100\n",
      findings: ["ill-conditioned", "target-scale"]),
    Row(
      "a target too huge to square", "a,b,y\n1,7,1.5e300\n3,1,2.5e300\n2,2,3.5e300\n",
      findings: ["non-finite"]),
    Row(
      "a hundred identical rows", "a,b,y\n" + String(repeating: "1,2,3.5\n", count: 100),
      findings: ["flat-directions", "constant-columns"]),
    Row("a constant target", "a,b,y\n1,2,3.5\n2,3,3.5\n4,1,3.5\n", findings: ["ill-conditioned"]),
    Row(
      "a zero target", "a,b,y\n1,2,0\n2,3,0\n4,1,0\n", options: ["--model", "linear"],
      findings: ["at-minimum", "ill-conditioned"]),
    Row(
      "zero features", "a,b,y\n0,0,3.5\n0,0,4.5\n0,0,5.5\n",
      findings: ["flat-directions", "constant-columns"]),
    Row(
      "the target among the features", "a,b,y\n1.5,0,1.5\n2.5,1,2.5\n4.5,0,4.5\n",
      findings: ["ill-conditioned"]),
    Row(
      "a column twice", "a,b,y\n1,1,0.5\n2,2,1.5\n4,4,1.25\n",
      findings: ["ill-conditioned", "flat-directions"]),
    Row("a huge penalty", numeric, options: ["--l2", "1e6"], findings: ["ill-conditioned"]),
    Row(
      "a huge penalty on classes", classes, options: ["--l2", "1e6"],
      findings: ["ill-conditioned", "flat-directions"]),
    Row(
      "Adam after five steps", numeric,
      options: ["--optimizer", "adam", "--lr", "0.01", "--at", "5"],
      findings: ["rate-far-below", "well-conditioned"]),
    Row(
      "momentum after three steps", numeric,
      options: ["--optimizer", "momentum", "--lr", "0.1", "--at", "3"],
      findings: ["well-conditioned"]),
    Row(
      "a rate that diverges", numeric, options: ["--lr", "1e3", "--at", "500"],
      findings: ["non-finite"]),
    Row(
      "a rate far above", numeric, options: ["--lr", "1e300"],
      findings: ["rate-above-limit", "well-conditioned"]),
    Row(
      "a rate far below", numeric, options: ["--lr", "1e-300"],
      findings: ["rate-far-below", "well-conditioned"]),
    Row(
      "relu in float32", numeric, options: ["--model", "mlp:4:relu", "--precision", "float32"],
      findings: ["non-convex", "ill-conditioned", "sharpest-layer"]),
    Row(
      "gelu in float64", classes, options: ["--model", "mlp:3:gelu", "--precision", "float64"],
      findings: ["non-convex", "ill-conditioned", "no-finite-minimum"]),
    Row(
      "a penalty too large to square", numeric, options: ["--l2", "1e308"],
      findings: ["non-finite"]),
    Row(
      "a penalty too large on classes", classes, options: ["--l2", "1e308"],
      findings: ["non-finite"]),
    Row(
      "the least rate", numeric, options: ["--lr", "5e-324"],
      findings: ["rate-far-below", "well-conditioned"]),
    Row(
      "the least rate on classes", classes, options: ["--lr", "5e-324"],
      findings: ["rate-far-below", "well-conditioned", "flat-directions"]),
    Row(
      "the largest rate on classes", classes, options: ["--lr", "1.7e308"],
      findings: ["rate-above-limit", "well-conditioned", "flat-directions"]),
    Row(
      "the least tolerance", numeric, options: ["--tolerance", "5e-324"],
      findings: ["well-conditioned"]),
    Row("the least memory", numeric, options: ["--memory", "1"], findings: ["well-conditioned"]),
    Row(
      "the largest memory", classes, options: ["--memory", "8000000TiB"],
      findings: ["well-conditioned", "flat-directions"]),
    Row(
      "the largest seed", classes, options: ["--seed", "9223372036854775807"],
      findings: ["well-conditioned", "flat-directions"]),
    Row(
      "the least effort", classes, options: ["--effort", "5e-324"],
      findings: ["well-conditioned", "flat-directions", "some-samples", "too-dear"]),
    Row(
      "the largest effort", classes, options: ["--effort", "1e308"],
      findings: ["well-conditioned", "flat-directions"]),
    Row(
      "raw columns into relu", raw, options: ["--model", "mlp:16:relu", "--lr", "1e-3"],
      findings: ["target-scale", "rate-above-limit", "non-convex", "sharpest-layer"]),
    Row("one thread", numeric, options: ["--threads", "1"], findings: ["well-conditioned"]),
    Row("softmax of words", classes, findings: ["well-conditioned", "flat-directions"]),
    Row("micro-batches", numeric, options: ["--memory", "2kb"], findings: ["well-conditioned"]),
    Row("float32", numeric, options: ["--precision", "float32"], findings: ["well-conditioned"]),
    Row("mse", numeric, options: ["--loss", "mse"], findings: ["well-conditioned"]),
    Row(
      "a loose tolerance", numeric, options: ["--tolerance", "0.9"], findings: ["well-conditioned"]),
    Row(
      "one iteration", numeric, options: ["--max-iterations", "1"], findings: ["well-conditioned"]),
    Row(
      "semicolons and quotes", "\"a\";\"the b\";y\n1;2;0.5\n2;1;0.75\n3;5;1.5\n",
      findings: ["ill-conditioned"]),
    Row(
      "a text column", "a,c,y\n1,u,0.5\n2,v,1.5\n3,u,0.25\n2,v,1.75\n",
      findings: ["ill-conditioned", "flat-directions"]),
    Row(
      "missing cells filled in", "a,b,y\n1,2,0.5\n2,?,1.5\n3,1,0.25\n",
      options: ["--missing", "mean"], findings: ["ill-conditioned", "flat-directions"]),
  ]

  /// - Parameter folder: where the table goes; its path stands in the report.
  static func report(
    _ row: Row, _ options: [String] = [], in folder: TemporaryFolder? = nil
  ) throws -> (DiagnosisReport, String) {
    let folder = try folder ?? TemporaryFolder()
    let path = try folder.write(row.table, to: "t.csv")
    let outcome = try BuiltProgram.run(
      [
        "diagnose", path, "--target", "y", "--json", "-", "--executor", "reference",
      ] + (row.options.contains("--max-iterations") ? [] : ["--max-iterations", "100"])
        + row.options + options)
    #expect(outcome.status == 0 && outcome.errors.isEmpty, "\(row.name): \(outcome.errors)")
    // Foundation's reader refuses NaN and infinities, as JSON does.
    let report = try JSONDecoder().decode(
      DiagnosisReport.self, from: Data(outcome.output.utf8))
    #expect(folder.contents == ["t.csv"])
    return (report, outcome.output)
  }

  @Test(arguments: rows)
  func `works and prints JSON alone`(row: Row) throws {
    let (report, text) = try Self.report(row)
    let remarkable = report.findings.map(\.id).filter { !Self.usual.contains($0) }
    #expect(Set(remarkable) == Set(row.findings), "\(report.findings.map(\.id))")
    for word in ["nan", "NaN", "inf,", "Infinity"] { #expect(!text.contains(": \(word)")) }
    if row.options.contains("--at"), !row.findings.contains("non-finite") {
      #expect(report.learningRate.stabilityLimit != nil)
    }
    for prescription in report.prescriptions {
      guard let measured = prescription.measured else { continue }
      #expect((measured.iterations != nil) == measured.reached, "\(prescription)")
    }
  }

  @Test func `the given rate stays in the JSON of a run that broke`() throws {
    let row = try #require(Self.rows.first { $0.name == "a rate that diverges" })
    let (report, _) = try Self.report(row)
    #expect(report.learningRate.given == 1000 && report.learningRate.verdict == nil)
    #expect(report.problem.loss == nil && report.prescriptions.isEmpty)
  }

  @Test(arguments: [0, 13, 19])
  func `the same command gives the same bytes`(index: Int) throws {
    let row = Self.rows[index]
    let folder = try TemporaryFolder()
    #expect(try Self.report(row, in: folder).1 == Self.report(row, in: folder).1)
  }

  /// Names and verdicts do not depend on who ran the model; figures agree to rounding.
  @Test(arguments: [["--lr", "0.2"], ["--lr", "2"], ["--optimizer", "momentum", "--lr", "1e-3"]])
  func `both executors say the same`(options: [String]) throws {
    let row = Row("numbers", Self.numeric, options: options, findings: [])
    let (reference, _) = try Self.report(row)
    let (onnx, _) = try Self.report(row, ["--executor", "onnxruntime"])
    #expect(onnx.problem.executor == "onnxruntime" && reference.problem.executor == "reference")
    #expect(onnx.learningRate.verdict == reference.learningRate.verdict)
    #expect(onnx.findings.map(\.id) == reference.findings.map(\.id))
    #expect(onnx.prescriptions.map(\.id) == reference.prescriptions.map(\.id))
    #expect(
      onnx.prescriptions.map(\.measured?.iterations)
        == reference.prescriptions.map(\.measured?.iterations))
    let (a, b) = (
      try #require(onnx.curvature.conditionNumber),
      try #require(reference.curvature.conditionNumber)
    )
    #expect(abs(a - b) <= 1e-10 * b)
  }
}
