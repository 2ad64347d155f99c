// training-worker FOLDER/MODEL THREADS: training steps with Adam, our side of peers/training_torch.py.
import BenchmarkNetwork
import Curvature
import Foundation
import OnnxBackend
import Training

let network = try Conversation.begin()
let objective = try Objective<Float>(
  network.definition, data: [network.inputs, network.labels], executor: OnnxExecutor())
let runs = try [
  "adam": Adam() as any Optimizer, "gd": GradientDescent(),
].mapValues {
  try TrainingRun(
    objective, $0, rate: 1e-3, from: network.parameters,
    gradients: .batches(Batches(size: 128, seed: 1)))
}
for run in runs.values {
  for _ in 0..<20 { try run.step() }
}
Conversation.ready()

while let line = readLine() {
  let words = line.split(separator: " ").map(String.init)
  guard words.count == 3, words[0] == "run", let count = Int(words[1]), let run = runs[words[2]]
  else { exit(0) }
  var seconds: [Double] = []
  var loss = 0.0
  let began = clock()
  for _ in 0..<count {
    let start = ContinuousClock.now
    loss = try run.step().loss
    seconds.append((ContinuousClock.now - start) / .seconds(1))
  }
  let spent = Double(clock() - began) / Double(CLOCKS_PER_SEC)
  Conversation.say(#"{"seconds": \#(seconds), "processor": \#(spent), "loss": \#(loss)}"#)
}
