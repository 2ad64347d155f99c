import Dispatch
import Foundation

/// Turns the first interrupt (Ctrl-C) into a flag that a run polls; a second one ends the program.
///
/// Wrappers such as `timeout` or `make` pass an interrupt on that the terminal has sent already, so one
/// that follows at once counts as the same.
final class Interruption: @unchecked Sendable {
  // Unchecked: `first` is only touched under `lock`, and `source` only in `init` and `deinit`.
  private let lock = NSLock()
  private var first: ContinuousClock.Instant?
  private let source: any DispatchSourceSignal

  init() {
    signal(SIGINT, SIG_IGN)
    source = DispatchSource.makeSignalSource(signal: SIGINT, queue: .global())
    source.setEventHandler { [weak self] in
      guard let self, self.isRepeated() else { return }
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
    return first != nil
  }

  /// Notes an interrupt; whether it is another than the first.
  private func isRepeated() -> Bool {
    lock.lock()
    defer { lock.unlock() }
    guard let first else {
      self.first = .now
      return false
    }
    return first.duration(to: .now) > .seconds(1)
  }
}
