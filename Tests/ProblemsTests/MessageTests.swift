import Diagnosis
import Foundation
import Presentation
import ProgramRuns
import Testing

@Suite struct MessageTests {
  @Test func `an option has two names`() {
    let column = "p0"
    let message: Message =
      "leave \(column) out with \(option: .dropped, column), or raise \(option: .l2)."
    #expect(message.text(.fields) == "leave p0 out with `dropped: p0`, or raise `l2`.")
    #expect(message.text(.flags) == "leave p0 out with --drop p0, or raise --l2.")
    #expect("\(message)" == message.text(.fields))
    let code: Message = "use \(option: .executor, "reference", isCode: true)"
    #expect(code.text(.fields) == "use `executor: reference`")
    #expect(code.text(.flags) == "use `--executor reference`")
  }

  @Test func `messages are put together`() {
    func sentence(_ hasSteps: Bool) -> Message {
      let way: Message = "lower \(option: .rate)"
      return "It diverged; " + "\(way)" + (hasSteps ? ", or \(option: .steps)." : ".")
    }
    #expect(sentence(true).text(.flags) == "It diverged; lower --lr, or --at.")
    #expect(sentence(true) == "It diverged; lower \(option: .rate), or \(option: .steps).")
    #expect(sentence(false) == "It diverged; lower \(option: .rate).")
    #expect(("a\(1)" as Message) + "b" == Message("a1b") && Message("a") != Message("b"))
  }

  @Test func `what a file says is made printable in every part`() {
    let name = "a\u{1B}[31m\nb"
    let message = ("\(name): \(option: .dropped, name)" as Message).printable
    #expect(message.text(.flags) == "a?[31m?b: --drop a?[31m?b")
    #expect(message.text(.fields) == "a?[31m?b: `dropped: a?[31m?b`")
    let failure = DiagnosisFailure(.usage, "\(name): \(option: .dropped, name)")
    #expect(failure.message == message && "\(failure)" == message.text(.fields))
    #expect(DiagnosisFailure(.usage, name) == DiagnosisFailure(.usage, Message(name)))
  }

  /// The names are those that requests and the command have.
  @Test func `every option is a field and a flag`() throws {
    var fields: Set<String> = []
    func collect(_ node: Any) {
      guard let object = node as? [String: Any] else { return }
      fields.formUnion(object.keys)
      object.values.forEach(collect)
    }
    for problem in RequestTests.problems {
      let request = RequestTests.spectrum(problem)
      collect(try JSONSerialization.jsonObject(with: JSONEncoder().encode(request)))
      let training = TrainingRequestTests.full(problem)
      collect(try JSONSerialization.jsonObject(with: JSONEncoder().encode(training)))
    }
    let help = try ["diagnose", "spectrum", "train"].map {
      try BuiltProgram.run([$0, "--help"]).output
    }
    let flags = Set(
      help.joined().split { !($0.isLetter || $0.isNumber || $0 == "-") }.map(String.init))
    for option in Message.Option.allCases {
      #expect(fields.contains(option.field) || option == .listing, "\(option)")
      #expect(flags.contains(option.flag), "\(option)")
    }
  }
}
