import CEigenstep
import Diagnosis
import EigenstepCommand
import Foundation
import Problems
import TensorFiles

// The declarations of eigenstep.h, in its order; each is a line over what Swift callers use.

@_cdecl("eigenstep_abi")
public func eigenstepABI() -> Int32 { EIGENSTEP_ABI }

@_cdecl("eigenstep_version")
public func eigenstepVersion() -> UnsafePointer<CChar> { versionText }

/// Never freed: a caller may keep it.
nonisolated(unsafe) private let versionText = UnsafePointer<CChar>(
  strdup(EigenstepVersion.current)!)

@_cdecl("eigenstep_command")
public func eigenstepCommand(
  _ count: Int32, _ arguments: UnsafePointer<UnsafePointer<CChar>?>?
) -> Int32 {
  let all = UnsafeBufferPointer(start: arguments, count: arguments == nil ? 0 : Int(max(0, count)))
  return CommandLineProgram.run(all.dropFirst().compactMap { $0.map { String(cString: $0) } })
}

@_cdecl("eigenstep_set_runtime")
public func eigenstepSetRuntime(_ path: UnsafePointer<CChar>?) {
  if let path { setenv("ORT_DYLIB_PATH", path, 1) } else { unsetenv("ORT_DYLIB_PATH") }
}

@_cdecl("eigenstep_answer")
public func eigenstepAnswer(
  _ request: UnsafePointer<CChar>?, _ arrays: UnsafePointer<eigenstep_array>?, _ count: Int32,
  _ loss: UnsafePointer<eigenstep_loss>?, _ watch: UnsafePointer<eigenstep_watch>?
) -> OpaquePointer {
  CallResult.of {
    try answer(
      text(request), CallerArrays(arrays, count: count), loss: loss?.pointee, watch: watch?.pointee)
  }
}

@_cdecl("eigenstep_measure")
public func eigenstepMeasure(
  _ request: UnsafePointer<CChar>?, _ map: UnsafePointer<eigenstep_operator>?,
  _ arrays: UnsafePointer<eigenstep_array>?, _ count: Int32,
  _ watch: UnsafePointer<eigenstep_watch>?
) -> OpaquePointer {
  CallResult.of {
    try measure(
      text(request), map?.pointee, CallerArrays(arrays, count: count), watch: watch?.pointee)
  }
}

/// Nil where a caller has none, who gets what a result without a report gives.
private func known(_ pointer: OpaquePointer?) -> CallResult? { pointer.map(held) }

@_cdecl("eigenstep_result_status")
public func eigenstepResultStatus(_ result: OpaquePointer?) -> Int32 {
  known(result)?.status ?? Int32(EIGENSTEP_USAGE)
}

@_cdecl("eigenstep_result_error")
public func eigenstepResultError(_ result: OpaquePointer?) -> UnsafePointer<CChar>? {
  known(result)?.error.map { UnsafePointer($0) }
}

@_cdecl("eigenstep_result_json")
public func eigenstepResultJSON(_ result: OpaquePointer?) -> UnsafePointer<CChar>? {
  known(result)?.json.map { UnsafePointer($0) }
}

@_cdecl("eigenstep_result_text")
public func eigenstepResultText(
  _ result: OpaquePointer?, _ width: Int32
) -> UnsafePointer<CChar>? {
  known(result)?.text(width: Int(width))
}

@_cdecl("eigenstep_result_array")
public func eigenstepResultArray(
  _ result: OpaquePointer?, _ name: UnsafePointer<CChar>?,
  _ count: UnsafeMutablePointer<Int64>?
) -> UnsafePointer<Double>? {
  guard let name, let numbers = known(result)?.array(String(cString: name)) else {
    count?.pointee = 0
    return nil
  }
  count?.pointee = Int64(numbers.count)
  return numbers.baseAddress
}

@_cdecl("eigenstep_result_free")
public func eigenstepResultFree(_ result: OpaquePointer?) {
  guard let result else { return }
  Unmanaged<CallResult>.fromOpaque(UnsafeRawPointer(result)).release()
}

@_cdecl("eigenstep_result_arrays")
public func eigenstepResultArrays(_ result: OpaquePointer?) -> UnsafePointer<CChar>? {
  known(result)?.list.map { UnsafePointer($0) }
}

@_cdecl("eigenstep_set_language")
public func eigenstepSetLanguage(_ name: UnsafePointer<CChar>?) {
  ReportLanguage.set(CommandLanguage(rawValue: text(name)) ?? .shell)
}

private func held(_ pointer: OpaquePointer) -> CallResult {
  Unmanaged<CallResult>.fromOpaque(UnsafeRawPointer(pointer)).takeUnretainedValue()
}

private func text(_ pointer: UnsafePointer<CChar>?) -> String {
  pointer.map { String(cString: $0) } ?? ""
}
