import Foundation

/// The memory of the process that allocations come from.
enum HeapMemory {
  /// Keeps what was freed for what comes next. By default glibc hands the end of its heap back as soon as a few
  /// vectors there are free, and each step of a run then faults the same pages in again: that took longer than the
  /// steps themselves.
  static func keep() {
    #if canImport(Glibc)
      // Its header is no part of the module; another C library may have no such function.
      guard let symbol = dlsym(nil, "mallopt") else { return }
      typealias Setter = @convention(c) (_ parameter: CInt, _ value: CInt) -> CInt
      let set = unsafeBitCast(symbol, to: Setter.self)
      let (trimThreshold, mmapThreshold): (CInt, CInt) = (-1, -3)
      _ = set(trimThreshold, 1 << 28)
      _ = set(mmapThreshold, 1 << 25)
    #endif
  }
}
