import Foundation
import ProgramRuns
import Testing
import Training

@testable import TrainingLogs

@Suite struct TrainingLogTests {
  private static let folder = "log"

  private func step(_ step: Int, loss: Double = 0.5) -> TrainingEvent {
    .step(StepRecord(step: step, pass: step / 2, loss: loss, gradientNorm: 2.5, rate: 0.25))
  }

  private func events(_ range: Range<Int>) -> [TrainingEvent] {
    [.started(step: range.lowerBound, stepCount: 6, stepsPerPass: 2)]
      + range.flatMap { [step($0), .kept(step: $0 + 1, place: "c\($0 + 1)")] }
  }

  private func lines(_ folder: TemporaryFolder) throws -> [[String: Any]] {
    try String(contentsOfFile: folder.path("log/events.jsonl"), encoding: .utf8)
      .split(separator: "\n").map {
        try #require(JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any])
      }
  }

  /// The records of the event files, their framing checked.
  private func records(_ folder: TemporaryFolder) throws -> [EventMessage] {
    let names = try FileManager.default.contentsOfDirectory(atPath: folder.path("log"))
      .filter { $0.contains(".tfevents.") }.sorted()
    return try names.flatMap { name in
      let bytes = try Data(contentsOf: URL(fileURLWithPath: folder.path("log/\(name)")))
      var offset = 0
      var messages: [EventMessage] = []
      while offset < bytes.count {
        let length = Int(
          bytes[offset..<offset + 8].reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) })
        let record = Data(bytes[offset + 12..<offset + 12 + length])
        #expect(
          Data(bytes[offset..<offset + 16 + length]) == RecordFraming.framed(record))
        messages.append(try EventMessage(serializedBytes: record))
        offset += 16 + length
      }
      return messages
    }
  }

  /// Published: RFC 3720, appendix B.4.
  @Test func `checksums are those of the standard`() {
    #expect(RecordFraming.checksum(Data(repeating: 0, count: 32)) == 0x8A91_36AA)
    #expect(RecordFraming.checksum(Data(repeating: 0xFF, count: 32)) == 0x62A8_AB43)
    #expect(RecordFraming.checksum(Data(0..<32)) == 0x46DD_794E)
    #expect(RecordFraming.checksum(Data("123456789".utf8)) == 0xE306_9283)
  }

  @Test func `each event is a line with its keys in order`() throws {
    #expect(
      try LogLine.text(step(3, loss: .nan))
        == #"{"event":"step","step":3,"pass":1,"loss":null,"gradientNorm":2.5,"rate":0.25}"# + "\n")
    let tracked = TrackingRecord(
      step: 4, values: [TrackedValue("sharpness", 3.5, error: 0.5, threshold: 8.5)], gradients: 2.5,
      seconds: 0.125)
    #expect(
      try LogLine.text(.tracked(tracked))
        == #"{"event":"tracked","step":4,"values":[{"name":"sharpness","part":null,"value":3.5,"error":0.5,"#
        + #""threshold":8.5,"isReliable":true}],"gradients":2.5,"seconds":0.125}"# + "\n")
    let evaluation = TrainingEvaluation(
      step: 2, pass: 1, training: DataReading(loss: 1.25, accuracy: 0.5), meanLossOfSteps: 1.5)
    #expect(
      try LogLine.text(.evaluated(evaluation))
        == #"{"event":"evaluation","step":2,"pass":1,"training":{"loss":1.25,"accuracy":0.5,"#
        + #""rSquared":null},"heldOut":null,"meanLossOfSteps":1.5}"# + "\n")
    #expect(
      try LogLine.text(.alarm(step: 1, GuardAlarm("too far", rateFactor: 0.5)))
        == #"{"event":"alarm","step":1,"sentence":"too far","rateFactor":0.5}"# + "\n")
    #expect(
      try LogLine.text(.ended(step: 6, TrainingEnding(.earlyStop, "done")))
        == #"{"event":"end","step":6,"reason":"early-stop","sentence":"done"}"# + "\n")
  }

  @Test func `a run that goes on leaves nothing twice`() throws {
    let folder = try TemporaryFolder()
    do {
      let log = try TrainingLog(folder.path("log"), resumes: false)
      for event in events(0..<5) { try log.note(event) }
    }
    // As a run leaves it that was killed while it wrote.
    let file = try FileHandle(forWritingTo: URL(fileURLWithPath: folder.path("log/events.jsonl")))
    try file.seekToEnd()
    try file.write(contentsOf: Data(#"{"event":"step","st"#.utf8))
    try file.close()
    #expect(throws: LogError.taken(folder.path("log"))) {
      try TrainingLog(folder.path("log"), resumes: false)
    }
    do {
      let log = try TrainingLog(folder.path("log"), resumes: true)
      for event in events(3..<6) { try log.note(event) }
      try log.note(.ended(step: 6, TrainingEnding(.finished, "done")))
    }
    let found = try lines(folder)
    #expect(
      found.filter { $0["event"] as? String == "step" }.map { $0["step"] as? Int }
        == [0, 1, 2, 3, 4, 5])
    #expect(
      found.filter { $0["event"] as? String == "checkpoint" }.map { $0["step"] as? Int }
        == [1, 2, 3, 4, 5, 6])
    #expect(
      found.filter { $0["event"] as? String == "start" }.map { $0["step"] as? Int } == [0, 3])
    #expect(found.last?["event"] as? String == "end")
    let records = try records(folder)
    #expect(
      records.filter { $0.fileVersion != nil }.map(\.fileVersion) == [
        "brain.Event:2", "brain.Event:2",
      ])
    #expect(records.filter { $0.sessionLog?.status == 1 }.map(\.step) == [0, 3])
    let losses = records.filter { $0.summary?.value.contains { $0.tag == "loss/step" } == true }
    #expect(losses.map(\.step) == [0, 1, 2, 3, 4, 3, 4, 5])
    #expect(losses.allSatisfy { $0.summary?.value.first?.simpleValue == 0.5 })
  }

  @Test func `a place that cannot be written is named`() throws {
    let folder = try TemporaryFolder()
    let file = try folder.write("", to: "file")
    #expect(throws: LogError.noFolder(file)) { try TrainingLog(file, resumes: false) }
  }
}
