// spectrum-worker FOLDER/MODEL THREADS: our side of the conversation in peers/protocol.py.
import BenchmarkNetwork
import Foundation

let questions = SpectrumQuestions(try Conversation.begin())
Conversation.ready()

while let line = readLine() {
  let words = line.split(separator: " ").map(String.init)
  guard let first = words.first, first != "quit" else { exit(0) }
  let start = ContinuousClock.now
  guard var answer = try questions.answer(words) else {
    Conversation.say(#"{"unsupported": "\#(first)"}"#)
    continue
  }
  answer.seconds = (ContinuousClock.now - start) / .seconds(1)
  Conversation.say(String(decoding: try JSONEncoder().encode(answer), as: UTF8.self))
}
