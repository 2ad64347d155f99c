import CEigenstep
import Diagnosis
import Foundation
import TensorFiles
import TensorPrograms

/// The arrays of a call, grouped into the files that they stand in for: "data/x" is the array `x` of the file
/// "memory:data".
struct CallerArrays {
  private(set) var files: [String: HeldFile] = [:]

  /// Copies what the caller holds: it may change once the call is over.
  ///
  /// - Throws: `DiagnosisFailure` of kind `usage` for an array that is none.
  init(_ arrays: UnsafePointer<eigenstep_array>?, count: Int32) throws {
    var order: [String: [String]] = [:]
    var held: [String: HeldFile] = [:]
    guard count == 0 || (count > 0 && arrays != nil) else {
      throw DiagnosisFailure(
        .usage,
        "The count of arrays is \(count), and no array is given; give as many as it says.")
    }
    for array in UnsafeBufferPointer(start: arrays, count: Int(count)) {
      guard let pointer = array.name else {
        throw DiagnosisFailure(.usage, "An array has no name; give it one, as data/x.")
      }
      let whole = String(cString: pointer)
      let parts = whole.split(separator: "/", maxSplits: 1).map(String.init)
      guard parts.count == 2 else {
        throw DiagnosisFailure(
          .usage, "The array '\(whole)' names no file; call it as data/\(whole).")
      }
      let (file, name) = (parts[0], parts[1])
      let shape = try Self.shape(array, whole)
      var content = held[file] ?? HeldFile(tensors: [:], order: [])
      if Int(array.element) == EIGENSTEP_TEXT {
        let words = Self.words(array, count: shape.count)
        // The names of another array's columns; else a column that happens to be called so.
        let base = String(name.dropLast(Self.columnSuffix.count))
        if name.hasSuffix(Self.columnSuffix), content.tensors[base]?.shape.rank == 2 {
          content.columnNames[base] = words.map { $0 ?? "" }
          held[file] = content
          continue
        }
        content.words[name] = words
      } else {
        content.tensors[name] = try Self.tensor(array, whole, shape)
      }
      order[file, default: []].append(name)
      held[file] = content
    }
    files = held.reduce(into: [:]) { result, entry in
      result[entry.key] = HeldFile(
        tensors: entry.value.tensors, words: entry.value.words,
        columnNames: entry.value.columnNames, order: order[entry.key] ?? [])
    }
  }

  private static let columnSuffix = ".columns"

  private static func shape(_ array: eigenstep_array, _ name: String) throws -> Shape {
    guard array.rank >= 0, array.rank == 0 || array.shape != nil else {
      throw DiagnosisFailure(.usage, "The array '\(name)' has no shape; give its sizes.")
    }
    let sizes = (0..<Int(array.rank)).map { Int(array.shape[$0]) }
    // The elements that there were without the empty axes; more than can be addressed are a mistake.
    var extent = 1
    for size in sizes {
      let (product, overflows) = extent.multipliedReportingOverflow(by: max(1, size))
      guard size >= 0, !overflows, product < 1 << 44 else {
        throw DiagnosisFailure(.usage, "The array '\(name)' has the shape \(sizes); mend it.")
      }
      extent = product
    }
    let total = sizes.contains(0) ? 0 : extent
    guard array.data != nil || total == 0 else {
      throw DiagnosisFailure(.usage, "The array '\(name)' has no data; give its numbers.")
    }
    return Shape(sizes)
  }

  private static func tensor(
    _ array: eigenstep_array, _ name: String, _ shape: Shape
  ) throws -> Tensor {
    func numbers<Number>(_: Number.Type) -> [Number] {
      guard let data = array.data else { return [] }
      return Array(
        UnsafeBufferPointer(
          start: data.assumingMemoryBound(to: Number.self), count: shape.count))
    }
    switch Int(array.element) {
    case EIGENSTEP_FLOAT32: return Tensor(numbers(Float.self), shape: shape)
    case EIGENSTEP_FLOAT64: return Tensor(numbers(Double.self), shape: shape)
    case EIGENSTEP_INT32: return Tensor(numbers(Int32.self), shape: shape)
    case EIGENSTEP_INT64: return Tensor(numbers(Int64.self), shape: shape)
    case EIGENSTEP_BOOL:
      return Tensor(numbers(UInt8.self).map { $0 != 0 }, shape: shape)
    default:
      throw DiagnosisFailure(
        .usage,
        "The array '\(name)' has elements of the kind \(array.element), which there is not; see "
          + "eigenstep.h.")
    }
  }

  private static func words(_ array: eigenstep_array, count: Int) -> [String?] {
    guard let data = array.data else { return [] }
    return UnsafeBufferPointer(
      start: data.assumingMemoryBound(to: UnsafePointer<CChar>?.self), count: count
    ).map { $0.map(String.init(cString:)) }
  }
}
