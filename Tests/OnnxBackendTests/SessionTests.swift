import Foundation
import Testing

@testable import OnnxBackend

@Suite struct SessionTests {
  private static func session(
    optimization: OnnxSession.Optimization = .all, _ build: (inout GraphBuilder) -> Void
  ) throws -> OnnxSession {
    var builder = GraphBuilder()
    build(&builder)
    return try OnnxSession(
      environment: OnnxRuntime.environment(), model: builder.model(),
      inputs: builder.inputNames, outputs: builder.outputNames, optimization: optimization)
  }

  /// Runs with every input and output a view of the arrays given.
  private static func run<Input, Output>(
    _ session: OnnxSession, _ inputs: [([Input], [Int])], _ element: OnnxElement,
    into output: inout [Output], _ shape: [Int], _ outputElement: OnnxElement
  ) throws {
    var storage = inputs.map(\.0)
    precondition(MemoryLayout<Input>.stride == element.byteCount)
    let environment = session.environment
    let views = try storage.indices.map { index in
      try storage[index].withUnsafeMutableBytes { bytes in
        // Kept in a buffer of its own: an array's pointer must not leave the closure.
        let copy = UnsafeMutableRawPointer.allocate(byteCount: bytes.count, alignment: 64)
        copy.copyMemory(from: bytes.baseAddress!, byteCount: bytes.count)
        return (
          copy,
          try OnnxValue(
            over: copy, shape: inputs[index].1, element: element, environment: environment)
        )
      }
    }
    defer { for (memory, _) in views { memory.deallocate() } }
    try output.withUnsafeMutableBytes { bytes in
      let view = try OnnxValue(
        over: bytes.baseAddress!, shape: shape, element: outputElement, environment: environment)
      let results = try session.run(inputs: views.map(\.1), outputs: [view])
      #expect(results[0] === view)
    }
  }

  @Test func gemmInFloat32WritesIntoTheCallersMemory() throws {
    let session = try Self.session { builder in
      let a = builder.input(.float32, [3, 2])
      let b = builder.input(.float32, [3, 2])
      let product = builder.node("Gemm", [a, b], ["transA": .int(1)])
      builder.output(product, .float32, [2, 2])
    }
    var output = [Float](repeating: -1, count: 4)
    try Self.run(
      session, [([1, 2, 3, 4, 5, 6] as [Float], [3, 2]), ([1, 0, 0, 1, 1, 1], [3, 2])], .float32,
      into: &output, [2, 2], .float32)
    #expect(output == [6, 8, 8, 10])
  }

  @Test func matMulInFloat64() throws {
    let session = try Self.session { builder in
      let a = builder.input(.float64, [2, 1, 2])
      let b = builder.input(.float64, [2, 1])
      builder.output(builder.node("MatMul", [a, b]), .float64, [2, 1, 1])
    }
    var output = [Double](repeating: 0, count: 2)
    var right: [Double] = [1e-9, 1]
    var left: [Double] = [1, 2, 3, 4]
    try left.withUnsafeMutableBytes { left in
      try right.withUnsafeMutableBytes { right in
        try output.withUnsafeMutableBytes { output in
          let environment = session.environment
          _ = try session.run(
            inputs: [
              OnnxValue(
                over: left.baseAddress!, shape: [2, 1, 2], element: .float64,
                environment: environment),
              OnnxValue(
                over: right.baseAddress!, shape: [2, 1], element: .float64,
                environment: environment),
            ],
            outputs: [
              OnnxValue(
                over: output.baseAddress!, shape: [2, 1, 1], element: .float64,
                environment: environment)
            ])
        }
      }
    }
    let expected: [Double] = [2 + 1e-9, 4 + 3e-9]
    #expect(output == expected)
  }

  @Test func integersAndTruthValues() throws {
    let addition = try Self.session { builder in
      let a = builder.input(.int64, [2])
      let b = builder.input(.int64, [2])
      builder.output(builder.node("Add", [a, b]), .int64, [2])
    }
    var sums = [Int64](repeating: 0, count: 2)
    try Self.run(
      addition, [([1 << 60, -1] as [Int64], [2]), ([1, -1], [2])], .int64, into: &sums, [2], .int64)
    #expect(sums == [1_152_921_504_606_846_977, -2])

    let comparison = try Self.session { builder in
      let a = builder.input(.int32, [2])
      let b = builder.input(.int32, [2])
      builder.output(builder.node("Less", [a, b]), .bool, [2])
    }
    var less = [Bool](repeating: false, count: 2)
    try Self.run(
      comparison, [([1, 2] as [Int32], [2]), ([2, 1], [2])], .int32, into: &less, [2], .bool)
    #expect(less == [true, false])
  }

  @Test func scalarsConstantsAndAllocatedOutputs() throws {
    let session = try Self.session { builder in
      let a = builder.input(.float64, [])
      let bytes = [Double.pi].withUnsafeBytes { Data($0) }
      let pi = builder.constant(.float64, [], bytes: bytes)
      builder.output(builder.node("Mul", [a, pi]), .float64, [])
      builder.output(a, .float64, [])
    }
    let input = try OnnxValue(shape: [], element: .float64, environment: session.environment)
    try input.memory().storeBytes(of: 2, as: Double.self)
    let results = try session.run(inputs: [input], outputs: [nil, nil])
    #expect(try results[0].memory().load(as: Double.self) == 2 * Double.pi)
    #expect(try results[1].memory().load(as: Double.self) == 2)
    let type = try results[0].type()
    #expect(type.shape.isEmpty && type.element == .float64)
  }

  @Test func aBrokenModelThrowsTheRuntimesWords() throws {
    let environment = try OnnxRuntime.environment()
    #expect(throws: OnnxRuntimeError.self) {
      try OnnxSession(
        environment: environment, model: Data("no model".utf8), inputs: [], outputs: [])
    }
    let error = #expect(throws: OnnxRuntimeError.self) {
      try Self.session { builder in
        let a = builder.input(.float32, [1])
        builder.output(builder.node("NoSuchOperator", [a]), .float32, [1])
      }
    }
    guard case .failed(_, let code, let message) = error else {
      Issue.record("expected a failure, got \(String(describing: error))")
      return
    }
    #expect(code != 0 && message.contains("NoSuchOperator"))
  }

  @Test func aRunCanBeStoppedBeforeAndDuring() throws {
    let size = 384
    let session = try Self.session(optimization: .none) { builder in
      let a = builder.input(.float32, [size, size])
      var power = a
      for _ in 0..<10000 { power = builder.node("MatMul", [power, a]) }
      builder.output(power, .float32, [size, size])
    }
    let environment = session.environment
    let input = try OnnxValue(
      shape: [size, size], element: .float32, environment: environment)
    try input.memory().initializeMemory(as: Float.self, repeating: 0, count: size * size)

    let stopped = try RunOptions(environment: environment)
    try stopped.terminate()
    #expect(throws: OnnxRuntimeError.terminated) {
      try session.run(inputs: [input], outputs: [nil], options: stopped)
    }

    let options = try RunOptions(environment: environment)
    // A thread of its own: the tasks of other tests may hold every thread of the pool.
    Thread.detachNewThread {
      Thread.sleep(forTimeInterval: 0.02)
      try? options.terminate()
    }
    let clock = ContinuousClock()
    let start = clock.now
    #expect(throws: OnnxRuntimeError.terminated) {
      try session.run(inputs: [input], outputs: [nil], options: options)
    }
    print("stopped \(clock.now - start) after the start of a run of 10000 products")
  }

  @Test func threadsCannotChangeAfterTheFirstUse() throws {
    _ = try OnnxRuntime.library()
    try OnnxRuntime.configure(threads: OnnxRuntime.threads)
    #expect(throws: OnnxRuntimeError.configuredTooLate) {
      try OnnxRuntime.configure(threads: OnnxRuntime.threads + 1)
    }
  }

  @Test func aCallOfThreeNodesIsTimed() throws {
    let session = try Self.session { builder in
      let a = builder.input(.float32, [8])
      let b = builder.input(.float32, [8])
      let sum = builder.node("Mul", [builder.node("Tanh", [a]), b])
      builder.output(builder.node("Sqrt", [sum]), .float32, [8])
    }
    let environment = session.environment
    let memory = UnsafeMutablePointer<Float>.allocate(capacity: 24)
    memory.initialize(repeating: 0.5, count: 24)
    defer { memory.deallocate() }
    func views() throws -> [OnnxValue] {
      try (0..<3).map { index in
        try OnnxValue(
          over: memory + 8 * index, shape: [8], element: .float32, environment: environment)
      }
    }
    let clock = ContinuousClock()
    func microseconds(_ body: () throws -> Void) rethrows -> Double {
      for _ in 0..<200 { try body() }
      let time = try clock.measure { for _ in 0..<2000 { try body() } }
      return time / .microseconds(1) / 2000
    }
    let kept = try views()
    let bound = try microseconds {
      _ = try session.run(inputs: [kept[0], kept[1]], outputs: [kept[2]])
    }
    let fresh = try microseconds {
      let values = try views()
      _ = try session.run(inputs: [values[0], values[1]], outputs: [values[2]])
    }
    print("three nodes: \(bound) us a call on kept views, \(fresh) us on views made each time")
    let expected = Float((tanh(0.5) * 0.5).squareRoot())
    #expect(abs(memory[16] - expected) < 1e-6)
  }
}
