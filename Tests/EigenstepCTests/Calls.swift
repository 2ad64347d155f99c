import CEigenstep
import EigenstepC
import Foundation

/// What a call came to, copied out of the result.
struct Outcome: Equatable {
  let status: Int32
  let error: String?
  let json: String?
  var vectors: [Double] = []

  /// Takes what `result` holds, and frees it.
  init(_ result: OpaquePointer, vectors name: String = "vectors") {
    status = eigenstepResultStatus(result)
    error = eigenstepResultError(result).map { String(cString: $0) }
    json = eigenstepResultJSON(result).map { String(cString: $0) }
    var count: Int64 = 0
    if let first = name.withCString({ eigenstepResultArray(result, $0, &count) }) {
      vectors = Array(UnsafeBufferPointer(start: first, count: Int(count)))
    }
    eigenstepResultFree(result)
  }

  func value(_ keys: String...) -> Any? {
    guard let json else { return nil }
    var found = try? JSONSerialization.jsonObject(with: Data(json.utf8))
    for key in keys {
      if let list = found as? [Any], let index = Int(key) {
        found = list.indices.contains(index) ? list[index] : nil
      } else {
        found = (found as? [String: Any])?[key]
      }
    }
    return found
  }
}

/// A quadratic `x'Ax/2` with a diagonal `A`, which C functions compute from their context.
final class Bowl {
  enum Fault { case none, fails, notANumber, cancels }

  let scale: [Double]
  /// Calls that go well before the fault.
  let callsBefore: Int
  let fault: Fault
  private(set) var calls = 0

  init(_ scale: [Double], _ fault: Fault = .none, after callsBefore: Int = 0) {
    self.scale = scale
    self.fault = fault
    self.callsBefore = callsBefore
  }

  static func of(_ context: UnsafeMutableRawPointer?) -> Bowl {
    Unmanaged<Bowl>.fromOpaque(context!).takeUnretainedValue()
  }

  /// `A x` into `y`; what a callback returns.
  func multiply(_ x: UnsafeRawPointer?, into y: UnsafeMutableRawPointer?) -> Int32 {
    calls += 1
    let isDue = calls > callsBefore
    if isDue, fault == .fails { return 1 }
    let (x, y) = (
      x!.assumingMemoryBound(to: Double.self), y!.assumingMemoryBound(to: Double.self)
    )
    for index in scale.indices { y[index] = scale[index] * x[index] }
    if isDue, fault == .notANumber { y[0] = .nan }
    return 0
  }

  private var watch: eigenstep_watch {
    eigenstep_watch(
      context: Unmanaged.passUnretained(self).toOpaque(), progress: nil,
      is_cancelled: { context in
        let bowl = Bowl.of(context)
        return bowl.fault == .cancels && bowl.calls >= bowl.callsBefore ? 1 : 0
      })
  }

  /// Measures it as an operator.
  func measure(_ request: String, dimension: Int64? = nil) -> Outcome {
    var map = eigenstep_operator(
      context: Unmanaged.passUnretained(self).toOpaque(),
      dimension: dimension ?? Int64(scale.count),
      element: Int32(EIGENSTEP_FLOAT64),
      apply: { Bowl.of($0).multiply($1, into: $2) })
    var watch = watch
    return Outcome(eigenstepMeasure(request, &map, nil, 0, &watch))
  }

  /// Answers a request of it as a loss.
  func answer(
    _ request: String, description: String? = nil, start: [Double]? = nil
  ) -> Outcome {
    let description =
      description
      ?? #"{"name": "bowl", "parameters": [{"name": "w", "shape": [\#(scale.count)]}]}"#
    let start = start ?? scale.map { _ in 1 }
    var watch = watch
    return description.withCString { description in
      start.withUnsafeBufferPointer { start in
        var loss = eigenstep_loss(
          context: Unmanaged.passUnretained(self).toOpaque(), description: description,
          start: start.baseAddress,
          value_and_gradient: { context, _, _, point, value, gradient in
            let bowl = Bowl.of(context)
            let x = point!.assumingMemoryBound(to: Double.self)
            var sum = 0.0
            for (index, factor) in bowl.scale.enumerated() { sum += factor * x[index] * x[index] }
            value![0] = sum / 2
            return gradient == nil ? 0 : bowl.multiply(point, into: gradient)
          },
          hessian_product: { context, _, _, _, direction, result in
            Bowl.of(context).multiply(direction, into: result)
          },
          gauss_newton_product: nil)
        return Outcome(eigenstepAnswer(request, nil, 0, &loss, &watch))
      }
    }
  }
}

enum Request {
  static func measuring(_ task: String, _ more: String = "") -> String {
    #"{"schema": "eigenstep.request.operator/1", "task": "\#(task)"\#(more)}"#
  }

  static func of(_ kind: String, _ more: String = "") -> String {
    #"{"schema": "eigenstep.request.\#(kind)/1", "problem": {"memory": "bowl"}, "#
      + #""resources": {"precision": "float64"}\#(more)}"#
  }

  static let diagnosis = of("diagnosis", #", "trials": {"areRun": false}"#)
  static let spectrum = of("spectrum")
}
