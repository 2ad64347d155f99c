// sweep-worker LAYERS BATCH OPTIMIZER THREADS: steps of 64 runs at 64 rates, together as a sweep and one run
// after the other, in the conversation of peers/protocol.py. Seconds are of the processor.
import BenchmarkNetwork
import Curvature
import Foundation
import LinearMaps
import OnnxBackend
import TensorPrograms
import Training

let arguments = CommandLine.arguments
guard arguments.count == 5, let batch = Int(arguments[2]), let threads = Int(arguments[4]),
  let entry = OptimizerCatalogue.named(arguments[3])
else {
  FileHandle.standardError.write(
    Data("usage: sweep-worker 20-64-64-5 BATCH OPTIMIZER THREADS\n".utf8))
  exit(64)
}
let layers = arguments[1].split(separator: "-").compactMap { Int($0) }
let laneCount = 64
try OnnxRuntime.configure(threads: threads, spinning: false)
let optimizer = try entry.make()
var generator = SeededGenerator(seed: 1)
let samples = batch * 8
let parameters = (1..<layers.count).flatMap { layer in
  [
    LossDefinition.Parameter("weight\(layer)", [layers[layer - 1], layers[layer]]),
    LossDefinition.Parameter("bias\(layer)", [layers[layer]], isBias: true),
  ]
}
let definition = LossDefinition(
  parameters: parameters,
  model: { parameters, data in
    var hidden = data[0]
    for layer in stride(from: 0, to: parameters.count, by: 2) {
      hidden = hidden.matmul(parameters[layer]) + parameters[layer + 1]
      if layer + 2 < parameters.count { hidden = hidden.tanh() }
    }
    return hidden
  },
  loss: { outputs, data in
    -outputs.logSoftmax(axis: 1).gather(data[1], axis: 1, batch: 1).mean()
  })
let inputs = Tensor(
  (0..<samples * layers[0]).map { _ in Float(generator.nextNormal()) }, shape: [samples, layers[0]])
let labels = Tensor(
  (0..<samples).map { _ in Int32(generator.next() % UInt64(layers.last!)) }, shape: [samples])
let start = parameters.flatMap { parameter in
  (0..<parameter.shape.count).map { _ in Float(0.3 * generator.nextNormal()) }
}
let objective = try Objective<Float>(definition, data: [inputs, labels], executor: OnnxExecutor())
let batches = Batches(size: batch, seed: 3)
let lanes = (0..<laneCount).map {
  SweepLane(rate: 1e-4 * pow(10, 3 * Double($0) / 63), start: start, batches: batches)
}
let sweep = try SweepRun(objective, optimizer, lanes: lanes)
let single = try TrainingRun(
  objective, optimizer, rate: 0.01, from: start, gradients: .batches(batches))

func processorSeconds() -> Double { Double(clock()) / Double(CLOCKS_PER_SEC) }

/// Seconds of one step of all 64 runs.
@MainActor func call(_ what: String) throws -> Double {
  let steps = 40
  if what == "single" {
    let begin = processorSeconds()
    for _ in 0..<steps { try single.step() }
    return (processorSeconds() - begin) / Double(steps) * Double(laneCount)
  }
  // The same with more steps, less what making the chunks and their first steps takes.
  let times = try [steps, 2 * steps].map { count in
    let begin = processorSeconds()
    _ = try sweep.train(steps: count)
    return processorSeconds() - begin
  }
  return (times[1] - times[0]) / Double(steps)
}

for _ in 0..<2 { for what in ["single", "sweep"] { _ = try call(what) } }
Conversation.say(
  #"{"ready": "Eigenstep", "version": "0.1", "lanes": \#(sweep.chunks.map(\.count).max()!)}"#)
while let line = readLine() {
  let words = line.split(separator: " ").map(String.init)
  guard words.count == 3, words[0] == "run", let count = Int(words[1]) else { exit(0) }
  let seconds = try (0..<count).map { _ in try call(words[2]) }
  Conversation.say(#"{"seconds": \#(seconds)}"#)
}
