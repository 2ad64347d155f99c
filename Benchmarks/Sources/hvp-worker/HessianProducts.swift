import BenchmarkNetwork
import OnnxBackend
import TensorPrograms

/// The calls that are timed, on flat vectors that stay outside the programs: each parameter is a view
/// at its offset.
final class HessianProducts {
  private let network: NetworkInputs
  private let vector: UnsafeMutablePointer<Float>
  private let product: UnsafeMutablePointer<Float>
  private let vectors: UnsafeMutablePointer<Float>
  private let products: UnsafeMutablePointer<Float>
  private let single: any PreparedRun
  private let several: any PreparedRun
  private let gradient: any PreparedRun

  init(_ network: NetworkInputs) throws {
    self.network = network
    let (count, width) = (network.manifest.parameters, network.manifest.directions)
    func allocate(_ size: Int) -> UnsafeMutablePointer<Float> {
      let memory = UnsafeMutablePointer<Float>.allocate(capacity: size)
      memory.initialize(repeating: 0, count: size)
      return memory
    }
    (vector, product) = (allocate(count), allocate(count))
    (vectors, products) = (allocate(count * width), allocate(count * width))

    let executor = try OnnxExecutor()
    let indices = Array(network.parameterTypes.indices)
    let loss = try network.loss()
    let point = network.parameterTypes.indices.map { Self.slice(network, network.parameters, $0) }
    let arguments = try (point + [network.inputs, network.labels]).map {
      Argument.resident(try executor.keep($0))
    }

    let parts = try loss.hessianProduct(withRespectTo: indices)
    let primal = try executor.compile(parts.primal)
    let values = try primal.run(
      arguments, into: parts.primal.outputs.map { _ in Destination.resident })
    let residuals = Array(values.suffix(parts.residualTypes.count))

    let (vector, product, vectors, products) = (vector, product, vectors, products)
    func views(_ base: UnsafeMutablePointer<Float>, width: Int? = nil) -> [TensorView] {
      zip(network.manifest.entries, network.parameterTypes).map { entry, type in
        let shape = Shape((width.map { [$0] } ?? []) + entry.shape)
        return TensorView(
          base + entry.offset * (width ?? 1), type: TensorType(type.element, shape))
      }
    }
    for (index, value) in network.directions.prefix(count).enumerated() { vector[index] = value }
    single = try executor.compile(parts.linear).prepare(
      residuals + views(vector).map { .view($0) }, into: views(product))

    // Eight directions of a parameter lie together, parameter after parameter.
    for entry in network.manifest.entries {
      let size = entry.shape.reduce(1, *)
      for row in 0..<width {
        for k in 0..<size {
          vectors[entry.offset * width + row * size + k] =
            network.directions[row * count + entry.offset + k]
        }
      }
    }
    let batched = residuals.map { _ in false } + indices.map { _ in true }
    several = try executor.compile(
      parts.linear.vmap(batched: batched, size: width).simplified()
    ).prepare(
      residuals + views(vectors, width: width).map { .view($0) },
      into: views(products, width: width))

    let gradientProgram = try loss.gradient(withRespectTo: indices)
    let lossValue = allocate(1)
    gradient = try executor.compile(gradientProgram).prepare(
      arguments,
      into: [TensorView(lossValue, type: gradientProgram.outputTypes[0])] + views(product))
  }

  private static func slice(_ network: NetworkInputs, _ flat: [Float], _ index: Int) -> Tensor {
    let entry = network.manifest.entries[index]
    let size = entry.shape.reduce(1, *)
    return Tensor(Array(flat[entry.offset..<entry.offset + size]), shape: Shape(entry.shape))
  }

  func call(_ what: String) throws {
    switch what {
    case "hvp": try single.run()
    case "hvp8": try several.run()
    case "gradient": try gradient.run()
    default: throw UnknownCall(name: what)
    }
  }

  struct UnknownCall: Error, CustomStringConvertible {
    let name: String
    var description: String { "hvp-worker knows no `\(name)`: hvp, hvp8 or gradient" }
  }

  /// The last result of a call, flat, one row per direction.
  func result(of what: String) -> [Float] {
    let count = network.manifest.parameters
    guard what == "hvp8" else { return Array(UnsafeBufferPointer(start: product, count: count)) }
    let width = network.manifest.directions
    var rows = [Float](repeating: 0, count: count * width)
    for entry in network.manifest.entries {
      let size = entry.shape.reduce(1, *)
      for row in 0..<width {
        for k in 0..<size {
          rows[row * count + entry.offset + k] = products[entry.offset * width + row * size + k]
        }
      }
    }
    return rows
  }
}
