import CEigenstep
import Diagnosis
import Foundation
import LinearMaps
import Presentation
import Reports
import TensorPrograms

/// A C caller's operator.
private struct CallbackMap<Scalar: LinearMapScalar>: LinearMap {
  let map: eigenstep_operator
  let dimension: Int
  let context: RunContext

  func apply(_ x: UnsafePointer<Scalar>, into y: UnsafeMutablePointer<Scalar>) throws {
    try context.checkCancellation()
    guard map.apply(map.context, x, y) == 0 else { throw CallbackFailure() }
  }
}

/// A request of an operator as JSON, answered; the array "b" is a right side.
func measure(
  _ request: String, _ map: eigenstep_operator?, _ arrays: CallerArrays, watch: eigenstep_watch?
) throws -> Answered {
  let decoded: OperatorRequest
  do {
    decoded = try JSONDecoder().decode(OperatorRequest.self, from: Data(request.utf8))
  } catch is DecodingError {
    throw DiagnosisFailure(
      .usage, "The request is no request of an operator: it is no JSON object of one.")
  }
  guard let map, map.apply != nil, (1..<1 << 44).contains(map.dimension) else {
    throw DiagnosisFailure(
      .usage,
      "There is no operator with a function and a number of rows that can be; give one.")
  }
  let context = RunContext(watch)
  func answered<Scalar: LinearMapScalar>(_: Scalar.Type) throws -> Answered {
    let rightSide = arrays.files["operator"]?.tensors["b"]?.doubles ?? []
    let result = try Diagnosis.measure(
      CallbackMap<Scalar>(map: map, dimension: Int(map.dimension), context: context), decoded,
      rightSide: rightSide.map { Scalar($0) }, context: context)
    var vectors: [String: [Double]] = [:]
    if !result.vectors.isEmpty {
      vectors["vectors"] = result.vectors.flatMap { $0.map { Double($0) } }
    }
    if !result.solution.isEmpty { vectors["solution"] = result.solution.map { Double($0) } }
    return Answered(
      json: try result.report.json(), text: { result.report.terminalText($0) }, arrays: vectors)
  }
  switch Int(map.element) {
  case EIGENSTEP_FLOAT32: return try answered(Float.self)
  case EIGENSTEP_FLOAT64: return try answered(Double.self)
  default:
    throw DiagnosisFailure(
      .usage, "The operator's vectors are of the kind \(map.element); give float32 or float64.")
  }
}
