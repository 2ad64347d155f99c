import Dispatch
import Foundation

/// Turns the first interrupt (Ctrl-C) into a flag that a run polls; the second ends the program.
final class Interruption: @unchecked Sendable {
  // Unchecked: `count` is only touched under `lock`, and `source` only in `init` and `deinit`.
  private let lock = NSLock()
  private var count = 0
  private let source: any DispatchSourceSignal

  init() {
    signal(SIGINT, SIG_IGN)
    source = DispatchSource.makeSignalSource(signal: SIGINT, queue: .global())
    source.setEventHandler { [weak self] in
      guard let self, self.noted() > 1 else { return }
      // Not `exit`: what it tears down may still be in use by other threads.
      _exit(ProgramExit.interrupted.rawValue)
    }
    source.resume()
  }

  deinit {
    source.cancel()
    signal(SIGINT, SIG_DFL)
  }

  var isRaised: Bool {
    lock.lock()
    defer { lock.unlock() }
    return count > 0
  }

  private func noted() -> Int {
    lock.lock()
    defer { lock.unlock() }
    count += 1
    return count
  }
}
