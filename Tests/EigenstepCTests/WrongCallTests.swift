import CEigenstep
import EigenstepC
import Testing

@Suite struct WrongCallTests {
  @Test(arguments: [
    "", "{", "[]", "null", "7", #"{"schema": "eigenstep.request.operator/1"}"#,
    Request.measuring("no-such-task"), Request.measuring("eigenpairs", #", "count": -1"#),
    Request.measuring("trace", #", "maxApplications": 3"#),
    Request.measuring("eigenpairs", #", "count": 9000000000000000000"#),
    Request.measuring("eigenpairs", #", "unknown": 1"#), Request.measuring("solve"),
  ])
  func `a request that is none is refused in one sentence`(request: String) throws {
    let outcome = Bowl([1, 2, 3]).measure(request)
    #expect(outcome.status == Int32(EIGENSTEP_USAGE) && outcome.json == nil)
    let sentence = try #require(outcome.error)
    #expect(sentence.count > 20 && !sentence.contains("\n") && !sentence.contains("Error("))
  }

  @Test(arguments: [0, -1, Int64.min, Int64.max])
  func `a dimension that cannot be is refused`(dimension: Int64) {
    let outcome = Bowl([1]).measure(Request.measuring("eigenpairs"), dimension: dimension)
    #expect(outcome.status == Int32(EIGENSTEP_USAGE))
  }

  @Test func `nothing at all is refused`() {
    for outcome in [
      Outcome(eigenstepAnswer(nil, nil, 0, nil, nil)),
      Outcome(eigenstepMeasure(nil, nil, nil, 0, nil)),
      Outcome(eigenstepMeasure(Request.measuring("trace"), nil, nil, 0, nil)),
      Outcome(eigenstepAnswer(Request.diagnosis, nil, 0, nil, nil)),
      Outcome(eigenstepAnswer(Request.diagnosis, nil, 3, nil, nil)),
      Outcome(eigenstepAnswer(Request.diagnosis, nil, -3, nil, nil)),
    ] {
      #expect(outcome.status >= 64 && outcome.error != nil && outcome.json == nil)
    }
    #expect(eigenstepResultStatus(nil) == Int32(EIGENSTEP_USAGE))
    #expect(eigenstepResultError(nil) == nil && eigenstepResultJSON(nil) == nil)
    #expect(eigenstepResultText(nil, 80) == nil)
    var count: Int64 = 5
    #expect(eigenstepResultArray(nil, "vectors", &count) == nil && count == 0)
    eigenstepResultFree(nil)
  }

  /// Answers a table of one array that is called `name`.
  private func refusal(
    name: String?, element: Int, shape: [Int64]?, hasData: Bool = true
  ) -> Outcome {
    let request =
      #"{"schema": "eigenstep.request.diagnosis/1", "problem": {"table": {"file": "memory:data", "target": "y"}}}"#
    let data = [Double](repeating: 1, count: 8)
    func call(_ name: UnsafePointer<CChar>?) -> Outcome {
      data.withUnsafeBytes { data in
        (shape ?? []).withUnsafeBufferPointer { sizes in
          var array = eigenstep_array(
            name: name, element: Int32(element), rank: Int32(shape?.count ?? 1),
            shape: shape == nil ? nil : sizes.baseAddress,
            data: hasData ? data.baseAddress : nil)
          return Outcome(eigenstepAnswer(request, &array, 1, nil, nil))
        }
      }
    }
    return name.map { $0.withCString { call($0) } } ?? call(nil)
  }

  @Test func `an array that is none is refused by its name`() {
    let double = Int(EIGENSTEP_FLOAT64)
    for (outcome, word) in [
      (refusal(name: nil, element: double, shape: [8]), "no name"),
      (refusal(name: "x", element: double, shape: [8]), "'x'"),
      (refusal(name: "data/x", element: 77, shape: [8]), "77"),
      (refusal(name: "data/x", element: double, shape: nil), "'data/x'"),
      (refusal(name: "data/x", element: double, shape: [-8]), "[-8]"),
      (refusal(name: "data/x", element: double, shape: [1 << 40, 1 << 40]), "'data/x'"),
      (refusal(name: "data/x", element: double, shape: [0, .max, .max]), "'data/x'"),
      (refusal(name: "data/x", element: double, shape: [8], hasData: false), "no data"),
      (refusal(name: "data/x", element: double, shape: [8]), "`y`"),
    ] {
      #expect(outcome.error?.contains(word) == true, "\(outcome.error ?? "no error")")
      #expect([64, 65].contains(outcome.status))
    }
  }

  @Test(arguments: [
    "", "{}", #"{"parameters": []}"#, #"{"parameters": [{"name": "w", "shape": [-1]}]}"#,
    #"{"parameters": [{"name": "w", "shape": [0]}]}"#,
    #"{"parameters": [{"name": "w", "shape": [1099511627776, 1099511627776]}]}"#,
    #"{"parameters": [{"name": "w", "shape": [1]}, {"name": "w", "shape": [1]}]}"#,
  ])
  func `a loss whose description is none is refused`(description: String) {
    let outcome = Bowl([1, 2]).answer(Request.diagnosis, description: description)
    #expect(outcome.status == Int32(EIGENSTEP_USAGE) && outcome.error != nil)
  }

  @Test(arguments: [0, 1, 5])
  func `a callback that fails ends the call`(callsBefore: Int) {
    for outcome in [
      Bowl([1, 2, 3, 4, 5, 6, 7, 8], .fails, after: callsBefore).answer(Request.diagnosis),
      Bowl([1, 2, 3, 4, 5, 6, 7, 8], .fails, after: callsBefore).measure(
        Request.measuring("eigenpairs")),
    ] {
      #expect(outcome.status == Int32(EIGENSTEP_CALLBACK), "\(outcome)")
    }
  }

  @Test(arguments: [0, 1, 5])
  func `a callback that writes NaN is told of`(callsBefore: Int) throws {
    let scale = (1...8).map(Double.init)
    let operation = Bowl(scale, .notANumber, after: callsBefore)
      .measure(Request.measuring("eigenpairs"))
    #expect(operation.status != 0)
    #expect(try #require(operation.error).contains("NaN"))
    let loss = Bowl(scale, .notANumber, after: callsBefore).answer(Request.spectrum)
    #expect(loss.status != 0)
    #expect(try #require(loss.error).contains("finite") || loss.error!.contains("NaN"))
  }

  @Test func `a call that is cancelled ends within one product`() {
    let scale = (1...200).map(Double.init)
    let bowl = Bowl(scale, .cancels, after: 3)
    let outcome = bowl.measure(Request.measuring("eigenpairs", #", "count": 5"#))
    #expect(outcome.status == Int32(EIGENSTEP_INTERRUPTED))
    #expect(outcome.error?.contains("cancelled") == true)
    #expect(bowl.calls <= 4)
  }
}
