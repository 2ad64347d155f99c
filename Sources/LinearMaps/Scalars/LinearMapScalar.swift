import CLAPACK

/// A real number that BLAS computes with: `Float` or `Double`.
///
/// Vectors are contiguous, matrices column-major with leading dimension `lda`. Inner products and
/// norms come back in double precision, whatever the vectors are stored in.
public protocol LinearMapScalar: BinaryFloatingPoint, SIMDScalar, Codable, Sendable {
  /// `y = alpha op(A) x + beta y`, `A` of `rows` x `columns`.
  static func gemv(
    transposed: Bool, rows: Int, columns: Int, alpha: Self, _ a: UnsafePointer<Self>, lda: Int,
    _ x: UnsafePointer<Self>, beta: Self, _ y: UnsafeMutablePointer<Self>)
  /// `C = alpha op(A) op(B) + beta C`, `op(A)` of `m` x `k`, `C` of `m` x `n`.
  static func gemm(
    transposedA: Bool, transposedB: Bool, m: Int, n: Int, k: Int, alpha: Self,
    _ a: UnsafePointer<Self>, lda: Int, _ b: UnsafePointer<Self>, ldb: Int, beta: Self,
    _ c: UnsafeMutablePointer<Self>, ldc: Int)
  /// `y = a x + y`.
  static func axpy(
    _ n: Int, _ a: Self, _ x: UnsafePointer<Self>, _ y: UnsafeMutablePointer<Self>)
  /// `x = a x`.
  static func scal(_ n: Int, _ a: Self, _ x: UnsafeMutablePointer<Self>)
  /// `x'y`, accumulated in double precision.
  static func dot(_ n: Int, _ x: UnsafePointer<Self>, _ y: UnsafePointer<Self>) -> Double
  /// `‖x‖₂`, safe from overflow.
  static func nrm2(_ n: Int, _ x: UnsafePointer<Self>) -> Double
  /// The first index that holds NaN or an infinity, or nil.
  static func firstNonFinite(_ n: Int, _ x: UnsafePointer<Self>) -> Int?
  /// The type's name as the program's options spell it: `float32` or `float64`.
  static var precisionName: String { get }
}

extension LinearMapScalar {
  /// The largest size of a map that is taken on: its vectors and the coefficients made of them are held in
  /// this type, and a bound on an eigenvalue lies some powers of two beyond.
  static var largestMapSize: Double {
    min(Double(greatestFiniteMagnitude) / 0x1p20, Double.greatestFiniteMagnitude / 0x1p100)
  }

  /// - Throws: `tooLarge` for a size above `largestMapSize`, or NaN.
  static func requireModest(_ size: Double) throws {
    guard size <= largestMapSize else { throw LinearMapError.tooLarge(size: size) }
  }
}

extension Double: LinearMapScalar {
  public static let precisionName = "float64"

  public static func gemv(
    transposed: Bool, rows: Int, columns: Int, alpha: Double, _ a: UnsafePointer<Double>,
    lda: Int, _ x: UnsafePointer<Double>, beta: Double, _ y: UnsafeMutablePointer<Double>
  ) {
    cl_dgemv(transposed, Int32(rows), Int32(columns), alpha, a, Int32(lda), x, beta, y)
  }

  public static func gemm(
    transposedA: Bool, transposedB: Bool, m: Int, n: Int, k: Int, alpha: Double,
    _ a: UnsafePointer<Double>, lda: Int, _ b: UnsafePointer<Double>, ldb: Int, beta: Double,
    _ c: UnsafeMutablePointer<Double>, ldc: Int
  ) {
    cl_dgemm(
      transposedA, transposedB, Int32(m), Int32(n), Int32(k), alpha, a, Int32(lda), b, Int32(ldb),
      beta, c, Int32(ldc))
  }

  public static func axpy(
    _ n: Int, _ a: Double, _ x: UnsafePointer<Double>, _ y: UnsafeMutablePointer<Double>
  ) {
    cl_daxpy(Int32(n), a, x, y)
  }

  public static func scal(_ n: Int, _ a: Double, _ x: UnsafeMutablePointer<Double>) {
    cl_dscal(Int32(n), a, x)
  }

  public static func dot(
    _ n: Int, _ x: UnsafePointer<Double>, _ y: UnsafePointer<Double>
  ) -> Double {
    cl_ddot(Int32(n), x, y)
  }

  public static func nrm2(_ n: Int, _ x: UnsafePointer<Double>) -> Double {
    cl_dnrm2(Int32(n), x)
  }

  public static func firstNonFinite(_ n: Int, _ x: UnsafePointer<Double>) -> Int? {
    let index = cl_dfirst_nonfinite(Int64(n), x)
    return index < 0 ? nil : Int(index)
  }
}

extension Float: LinearMapScalar {
  public static let precisionName = "float32"

  public static func gemv(
    transposed: Bool, rows: Int, columns: Int, alpha: Float, _ a: UnsafePointer<Float>, lda: Int,
    _ x: UnsafePointer<Float>, beta: Float, _ y: UnsafeMutablePointer<Float>
  ) {
    cl_sgemv(transposed, Int32(rows), Int32(columns), alpha, a, Int32(lda), x, beta, y)
  }

  public static func gemm(
    transposedA: Bool, transposedB: Bool, m: Int, n: Int, k: Int, alpha: Float,
    _ a: UnsafePointer<Float>, lda: Int, _ b: UnsafePointer<Float>, ldb: Int, beta: Float,
    _ c: UnsafeMutablePointer<Float>, ldc: Int
  ) {
    cl_sgemm(
      transposedA, transposedB, Int32(m), Int32(n), Int32(k), alpha, a, Int32(lda), b, Int32(ldb),
      beta, c, Int32(ldc))
  }

  public static func axpy(
    _ n: Int, _ a: Float, _ x: UnsafePointer<Float>, _ y: UnsafeMutablePointer<Float>
  ) {
    cl_saxpy(Int32(n), a, x, y)
  }

  public static func scal(_ n: Int, _ a: Float, _ x: UnsafeMutablePointer<Float>) {
    cl_sscal(Int32(n), a, x)
  }

  public static func dot(
    _ n: Int, _ x: UnsafePointer<Float>, _ y: UnsafePointer<Float>
  ) -> Double {
    cl_sdot(Int32(n), x, y)
  }

  public static func nrm2(_ n: Int, _ x: UnsafePointer<Float>) -> Double {
    cl_snrm2(Int32(n), x)
  }

  public static func firstNonFinite(_ n: Int, _ x: UnsafePointer<Float>) -> Int? {
    let index = cl_sfirst_nonfinite(Int64(n), x)
    return index < 0 ? nil : Int(index)
  }
}
