import Curvature
import Foundation
import LinearMaps
import OnnxBackend
import TensorPrograms

// The mean of (w x - y)^2 over x = 1, 2, 3 has curvature 2 (1 + 4 + 9) / 3 = 28 / 3.
let definition = LossDefinition(parameters: [.init("w", [1])]) { parameters, data in
  (data[0] * parameters[0] - data[1]).square().mean()
}
let data = [Tensor([1.0, 2, 3], shape: [3]), Tensor([2.0, 4, 6], shape: [3])]
do {
  let loss = try Objective<Double>(definition, data: data, executor: OnnxExecutor())
  let top = try TopEigenpairs<Double>(of: loss.hessian(at: [0]))
  print("sharpness", (top.largest[0].value * 3).rounded() / 3)
  print("stable below", (2 / top.upperBound! * 1e4).rounded() / 1e4)
} catch {
  print("Error: \(error)")
  exit(1)
}
