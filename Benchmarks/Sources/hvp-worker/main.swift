// hvp-worker FOLDER/MODEL THREADS: our side of the conversation in peers/protocol.py.
import Foundation
import OnnxBackend

func say(_ line: String) {
  FileHandle.standardOutput.write(Data((line + "\n").utf8))
}

guard CommandLine.arguments.count == 3, let threads = Int(CommandLine.arguments[2]) else {
  FileHandle.standardError.write(Data("usage: hvp-worker FOLDER/MODEL THREADS\n".utf8))
  exit(64)
}
try OnnxRuntime.configure(threads: threads)
let products = try HessianProducts(NetworkInputs(folder: CommandLine.arguments[1]))
for what in ["hvp", "hvp8", "gradient"] {
  for _ in 0..<3 { try products.call(what) }
}
say(#"{"ready": "Eigenstep", "version": "0.1"}"#)

while let line = readLine() {
  let words = line.split(separator: " ").map(String.init)
  switch words.first {
  case "run" where words.count == 3:
    let seconds = try (0..<(Int(words[1]) ?? 0)).map { _ in
      let start = ContinuousClock.now
      try products.call(words[2])
      return (ContinuousClock.now - start) / .seconds(1)
    }
    say(#"{"seconds": \#(seconds)}"#)
  case "write" where words.count == 3:
    try products.call(words[1])
    let rows = products.result(of: words[1])
    try rows.withUnsafeBytes { Data($0) }.write(to: URL(fileURLWithPath: words[2]))
    say(#"{"written": "\#(words[2])"}"#)
  default: exit(0)
  }
}
