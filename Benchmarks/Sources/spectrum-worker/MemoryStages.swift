import BenchmarkNetwork

/// The most memory that this process has held resident, noted at stages.
struct MemoryStages {
  private(set) var stages: [Answer.Stage] = []

  mutating func note(_ stage: String) {
    stages.append(Answer.Stage(name: stage, bytes: ResidentMemory.peak))
  }
}
