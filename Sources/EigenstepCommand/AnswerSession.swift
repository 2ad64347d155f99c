import Diagnosis
import Presentation
import Reports
import TensorPrograms

/// What a run has to say, as JSON and as text, and what else it writes.
package struct Answer {
  package let json: () throws -> String
  package let text: (TerminalStyle) -> String
  /// How the program ends with it.
  package let exit: ProgramExit
  package let writeFiles: () throws -> Void

  package init(
    json: @escaping () throws -> String, text: @escaping (TerminalStyle) -> String,
    exit: ProgramExit = .done, writeFiles: @escaping () throws -> Void = {}
  ) {
    self.exit = exit
    self.json = json
    self.text = text
    self.writeFiles = writeFiles
  }
}

/// One run from measuring to output, with everything around it handed in.
package struct AnswerSession {
  package let json: JSONDestination?
  package let style: TerminalStyle
  package let context: RunContext
  /// Called when the run is over, before anything is printed.
  package let finished: () -> Void
  package let print: (String) -> Void
  /// Prints parts of the text before the run is over.
  package let printEarly: (String) -> Void

  package init(
    json: JSONDestination?, style: TerminalStyle, context: RunContext,
    finished: @escaping () -> Void, print: @escaping (String) -> Void,
    printEarly: ((String) -> Void)? = nil
  ) {
    self.printEarly = printEarly ?? print
    self.json = json
    self.style = style
    self.context = context
    self.finished = finished
    self.print = print
  }

  /// Prints what is final already; with JSON on standard output nothing.
  package func showEarly(_ text: (TerminalStyle) -> String) {
    guard json != .standardOutput else { return }
    finished()
    printEarly(text(style))
  }

  /// Measures and prints; with JSON on standard output, that alone.
  package func perform(_ measure: (RunContext) throws -> Answer) throws -> ProgramExit {
    try json?.probe()
    let answer: Answer
    do {
      answer = try measure(context)
    } catch {
      finished()
      // What was measured until then is told by a failure of its own.
      if context.isCancelled(), (error as? DiagnosisFailure)?.kind != .interrupted {
        throw DiagnosisFailure(.interrupted, "Interrupted before anything was measured.")
      }
      throw error
    }
    finished()
    // Files first: standard output may be a pipe that nobody reads, and printing end the program.
    let failures: [Result<Void, any Error>] = [
      Result { try answer.writeFiles() }, Result { try json?.writeFile(answer.json() + "\n") },
    ]
    print(json == .standardOutput ? try answer.json() + "\n" : answer.text(style))
    for failure in failures { try failure.get() }
    return context.isCancelled() ? .interrupted : answer.exit
  }
}
