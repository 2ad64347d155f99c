import Foundation

/// This process's memory that is in use, in bytes.
package enum ResidentMemory {
  /// The most so far.
  package static var peak: Int {
    var usage = rusage()
    #if os(macOS)
      getrusage(RUSAGE_SELF, &usage)
      return Int(usage.ru_maxrss)
    #else
      getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
      return Int(usage.ru_maxrss) * 1024
    #endif
  }

  /// Now, where the system tells; else the most so far.
  package static var now: Int {
    guard let text = try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8),
      let pages = text.split(separator: " ").dropFirst().first.flatMap({ Int($0) })
    else { return peak }
    return pages * Int(sysconf(Int32(_SC_PAGESIZE)))
  }
}
