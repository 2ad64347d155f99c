import Diagnosis
import Foundation
import ProgramRuns
import Testing

@testable import Problems

/// The folder of a run's checkpoints, which is one run's alone.
@Suite struct CheckpointFolderTests {
  @Test func `a folder that was removed is said to be gone`() throws {
    let folder = try TemporaryFolder()
    let store = try CheckpointFolder(folder.path("c"), kept: 2)
    _ = try store.write(Data([1]), step: 3)
    try FileManager.default.removeItem(atPath: folder.path("c"))
    let failure = try #require(throws: DiagnosisFailure.self) {
      try store.write(Data([1]), step: 4)
    }
    #expect(failure.kind == .cannotCreate && "\(failure)".contains("is gone"))
  }

  @Test func `one at a time, and what is left of it keeps nobody out`() throws {
    let folder = try TemporaryFolder()
    let place = folder.path("c")
    do {
      let store = try CheckpointFolder(place, kept: 2)
      let failure = try #require(throws: DiagnosisFailure.self) {
        try CheckpointFolder(place, kept: 2)
      }
      #expect(failure.kind == .usage && "\(failure)".contains("\(getpid())"))
      _ = try store.write(Data([1]), step: 3)
    }
    #expect(try FileManager.default.contentsOfDirectory(atPath: place).count == 1)
    try Data("123".utf8).write(to: URL(fileURLWithPath: place + "/.lock"))
    #expect(try CheckpointFolder(place, kept: 2).stored().count == 1)
  }
}
