import CLAPACK

/// The BLAS and LAPACK behind this module.
public enum LinearAlgebraLibrary {
  /// Name, version and build of the library, e.g. `OpenBLAS 0.3.21 ...`, or `Accelerate`.
  public static var description: String {
    String(cString: cl_description()).split(separator: " ").joined(separator: " ")
  }
}

/// How many threads the BLAS may use.
public enum LinearAlgebraThreads {
  /// Sets the count for the whole process; does nothing on macOS, where Accelerate decides.
  ///
  /// Set it to 1 while another pool of spinning threads (ONNX Runtime's) owns the cores.
  public static func set(_ count: Int) {
    precondition(count >= 1, "a thread count must be at least 1, not \(count)")
    cl_set_threads(Int32(clamping: count))
  }

  /// The current count, or nil where the library does not say.
  public static var current: Int? {
    let count = Int(cl_get_threads())
    return count > 0 ? count : nil
  }
}
