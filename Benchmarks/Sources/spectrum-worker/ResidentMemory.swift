import Foundation

/// The most memory that this process has held resident, noted at stages.
struct ResidentMemory {
  private(set) var stages: [Answer.Stage] = []

  mutating func note(_ stage: String) {
    var usage = rusage()
    #if os(macOS)
      getrusage(RUSAGE_SELF, &usage)
      let bytes = Int(usage.ru_maxrss)
    #else
      getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
      let bytes = Int(usage.ru_maxrss) * 1024
    #endif
    stages.append(Answer.Stage(name: stage, bytes: bytes))
  }
}
