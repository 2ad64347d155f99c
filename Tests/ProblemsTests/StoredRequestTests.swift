import Diagnosis
import Foundation
import Problems
import ProgramRuns
import Testing

/// Requests in files, by themselves and in results.
@Suite struct StoredRequestTests {
  private func write(_ value: some Encodable, to folder: TemporaryFolder) throws -> String {
    let data = try JSONEncoder().encode(value)
    return try folder.write(String(decoding: data, as: UTF8.self), to: "r.json")
  }

  @Test func `a request by itself`() throws {
    let folder = try TemporaryFolder()
    for problem in RequestTests.problems {
      let diagnosis = RequestTests.diagnosis(problem)
      #expect(
        try StoredRequest(contentsOf: write(diagnosis, to: folder)) == .diagnosis(diagnosis))
      let spectrum = RequestTests.spectrum(problem)
      #expect(try StoredRequest(contentsOf: write(spectrum, to: folder)) == .spectrum(spectrum))
    }
  }

  @Test func `the request of a result, which may lack one`() throws {
    let folder = try TemporaryFolder()
    var request = DiagnosisRequest(.table(try SmallFiles.table(in: folder)))
    request.resources.executor = .reference
    request.trials.areRun = false
    request.training.rate = 0.01
    var report = try diagnose(request)
    let spectrum = SpectrumRequest(of: request)
    var result = try measureSpectrum(spectrum).report
    let path = try folder.write(report.json(), to: "r.json")
    #expect(try StoredRequest(contentsOf: path) == .diagnosis(request))
    #expect(
      try StoredRequest(contentsOf: folder.write(result.json(), to: "s.json"))
        == .spectrum(spectrum))
    report.request = nil
    result.request = nil
    for text in [try report.json(), try result.json()] {
      let error = try #require(throws: DiagnosisFailure.self) {
        try StoredRequest(contentsOf: folder.write(text, to: "old.json"))
      }
      #expect(error.kind == .badData)
      #expect(
        "\(error)"
          == "\(folder.path("old.json")) is a result without a request, as an earlier version "
          + "wrote it; give the options again.")
    }
  }

  /// What is no request, and words of its refusal.
  static let rubbish: [(text: String, words: String)] = [
    ("", "is no JSON object of one."), ("schema", "is no JSON object of one."),
    ("[]", "is no JSON object of one."), ("3", "is no JSON object of one."),
    (#"{"schema": 3}"#, "is no JSON object of one."), ("{}", "its schema is missing"),
    (
      #"{"schema": "eigenstep.doctor/1"}"#,
      "its schema is 'eigenstep.doctor/1', and not 'eigenstep.request.diagnosis/1', "
        + "'eigenstep.request.spectrum/1', 'eigenstep.request.training/1' or "
        + "'eigenstep.request.sweep/1'."
    ),
    (#"{"schema": "eigenstep.request.diagnosis/2"}"#, "'eigenstep.request.diagnosis/2'"),
  ]

  @Test(arguments: rubbish)
  func `rubbish is refused`(text: String, words: String) throws {
    let folder = try TemporaryFolder()
    let path = try folder.write(text, to: "r.json")
    let error = try #require(throws: DiagnosisFailure.self) {
      try StoredRequest(contentsOf: path)
    }
    #expect(error.kind == .badData && "\(error)".hasPrefix("\(path) is no request: "), "\(error)")
    #expect("\(error)".contains(words) && "\(error)".hasSuffix("."), "\(error)")
  }

  @Test func `a wrong field of a file is named`() throws {
    let folder = try TemporaryFolder()
    for schema in ["diagnosis", "spectrum", "sweep"] {
      let text =
        #"{"schema": "eigenstep.request.\#(schema)/1", "problem": {"memory": "m"}, "colour": 1}"#
      for stored in [text, #"{"schema": "eigenstep.\#(schema)/1", "request": \#(text)}"#] {
        let path = try folder.write(stored, to: "r.json")
        let error = try #require(throws: RequestError.self) {
          try StoredRequest(contentsOf: path)
        }
        #expect(error.field.hasSuffix("colour") && error.complaint.hasPrefix("is no field"))
      }
    }
    let absent = try #require(throws: DiagnosisFailure.self) {
      try StoredRequest(contentsOf: folder.path("none.json"))
    }
    #expect(absent.kind == .noInput)
  }
}
