// hvp-worker FOLDER/MODEL THREADS: our side of the conversation in peers/protocol.py.
import BenchmarkNetwork
import Foundation

let products = try HessianProducts(Conversation.begin())
for what in ["hvp", "hvp8", "gradient"] {
  for _ in 0..<3 { try products.call(what) }
}
Conversation.ready()

while let line = readLine() {
  let words = line.split(separator: " ").map(String.init)
  switch words.first {
  case "run" where words.count == 3:
    let seconds = try (0..<(Int(words[1]) ?? 0)).map { _ in
      let start = ContinuousClock.now
      try products.call(words[2])
      return (ContinuousClock.now - start) / .seconds(1)
    }
    Conversation.say(#"{"seconds": \#(seconds)}"#)
  case "write" where words.count == 3:
    try products.call(words[1])
    let rows = products.result(of: words[1])
    try rows.withUnsafeBytes { Data($0) }.write(to: URL(fileURLWithPath: words[2]))
    Conversation.say(#"{"written": "\#(words[2])"}"#)
  default: exit(0)
  }
}
