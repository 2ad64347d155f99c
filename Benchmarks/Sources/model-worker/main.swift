// model-worker FOLDER/NAME THREADS: our side of the conversation in peers/protocol.py, for a network
// read from NAME.onnx with data from NAME.npz and cross-entropy as the loss.
import BenchmarkNetwork
import Curvature
import Foundation
import LinearMaps
import OnnxBackend
import TensorFiles
import TensorPrograms
import Training

let arguments = CommandLine.arguments
guard arguments.count == 3, let threads = Int(arguments[2]) else {
  FileHandle.standardError.write(Data("usage: model-worker FOLDER/NAME THREADS\n".utf8))
  exit(64)
}
try OnnxRuntime.configure(threads: threads)
let executor = try OnnxExecutor()
let model = try OnnxModel(contentsOf: arguments[1] + ".onnx")
let data = try NpzArchive(arguments[1] + ".npz")
let names = try NpzArchive(arguments[1] + ".golden.npz").keys
  .filter { $0.hasPrefix("gradient/") }.map { String($0.dropFirst(9)) }.sorted()
let (inputs, output) = (model.inputs.map(\.name), model.outputs[0])
let loss = ModelLoss.named("cross-entropy")!
let definition = LossDefinition(
  parameters: names.map { .init($0, model.initializers[$0]!.shape) },
  model: { [model, names, inputs, output] values, data in
    do {
      return try model.trace(
        parameters: Dictionary(uniqueKeysWithValues: zip(names, values)),
        inputs: Dictionary(uniqueKeysWithValues: zip(inputs, data)), outputs: [output],
        builder: values[0].builder)[0]
    } catch { preconditionFailure("\(error)") }
  }, loss: { [loss] in loss.apply($0, $1.last!) })
let point = names.flatMap { name -> [Float] in
  guard case .float32(let values) = model.initializers[name]!.storage else { return [] }
  return values
}
let direction = names.flatMap { name in
  (0..<model.initializers[name]!.shape.count).map { Float(sin(1.3 * Double($0) + 0.5)) }
}
let arrays = try (inputs + ["target"]).map(data.tensor)

let base = ResidentMemory.now
let objective = try Objective<Float>(
  definition, data: arrays, executor: executor, memoryBudget: 16 << 30)
let hessian = try objective.hessian(at: point)
var result = try hessian(direction)
let peak = ResidentMemory.peak - base
let operations = try hessian.productOperations()

let training = try TrainingRun(objective, Adam(), rate: 1e-3, from: point)

@MainActor func call(_ what: String) throws {
  switch what {
  case "adam": try training.step()
  case "gradient": result = try objective.valueAndGradient(at: point).gradient
  default: result = try hessian(direction)
  }
}
for _ in 0..<3 {
  try call("adam")
  try call("gradient")
  try call("hvp")
}
Conversation.say(
  #"{"ready": "Eigenstep", "version": "0.1", "peak": \#(peak), "operations": \#(operations)}"#)

while let line = readLine() {
  let words = line.split(separator: " ").map(String.init)
  switch words.first {
  case "run" where words.count == 3:
    let began = clock()
    let seconds = try (0..<(Int(words[1]) ?? 0)).map { _ in
      let start = ContinuousClock.now
      try call(words[2])
      return (ContinuousClock.now - start) / .seconds(1)
    }
    let spent = Double(clock() - began) / Double(CLOCKS_PER_SEC)
    Conversation.say(#"{"seconds": \#(seconds), "processor": \#(spent)}"#)
  case "write" where words.count == 3:
    try call(words[1])
    try result.withUnsafeBytes { Data($0) }.write(to: URL(fileURLWithPath: words[2]))
    Conversation.say(#"{"written": "\#(words[2])"}"#)
  default: exit(0)
  }
}
