import ArgumentParser
import Foundation
import Presentation

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// The program `eigenstep`, for whoever has a process to run it in: the executable, and the command that comes
/// with the Python package.
public enum CommandLineProgram {
  /// Runs the command that the arguments name, as `ParsableCommand` does, but what a refusal quotes of them is
  /// made printable.
  ///
  /// It is made for a process of its own: signals and the standard streams are its, and where standard output
  /// cannot be written the process ends.
  ///
  /// - Parameter arguments: without the program's own name.
  /// - Returns: the exit code.
  public static func run(_ arguments: [String]) -> Int32 {
    StandardStreams.open()
    StandardStreams.outliveFileSizeLimit()
    HeapMemory.keep()
    // What was printed by `print` lies in a buffer, which whoever called may leave there.
    defer { fflush(nil) }
    do {
      var command = try Eigenstep.parseAsRoot(arguments)
      try command.run()
      return ExitCode.success.rawValue
    } catch {
      let code = Eigenstep.exitCode(for: error)
      let text = Eigenstep.fullMessage(for: error)
      guard !text.isEmpty else { return code.rawValue }
      if code == .success {
        print(text)
      } else {
        StandardError.write(onOneLine(text, of: error, arguments))
      }
      return code.rawValue
    }
  }

  /// The text with a refusal's own words, which may quote an argument, on one line where an argument has
  /// several.
  private static func onOneLine(
    _ text: String, of error: any Error, _ arguments: [String]
  ) -> String {
    let words = Eigenstep.message(for: error)
    let hasBreaks = arguments.contains { $0.contains { $0.isNewline } }
    guard hasBreaks, !words.isEmpty, let place = text.range(of: words) else { return text + "\n" }
    return text.replacingCharacters(in: place, with: Printable.line(words)) + "\n"
  }
}
