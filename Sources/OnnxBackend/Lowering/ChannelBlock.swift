import TensorPrograms

/// How many channels ONNX Runtime's blocked convolutions take together on this machine.
///
/// Those operators are what ONNX Runtime itself puts where a convolution's kernel is a constant; here
/// kernels are inputs. They are not documented and their block is not told, so it is found by trying:
/// a layout that gives the right numbers once is the right one, and where none does there is no block.
enum ChannelBlock {
  static let domain = "com.microsoft.nchwc"

  /// The length of a vector with AVX-512 or NEON, and with AVX.
  private static let candidates = [16, 8]
  static var least: Int { candidates.last! }

  static func find(_ environment: OnnxEnvironment) -> Int? {
    candidates.first { (try? givesTheConvolution($0, environment)) == true }
  }

  private static func givesTheConvolution(
    _ block: Int, _ environment: OnnxEnvironment
  ) throws -> Bool {
    let channels = 2 * candidates[0]
    let program = try Program.trace([
      .float32(1, channels, 4, 3), .float32(channels, channels, 2, 3),
    ]) {
      [$0[0].convolved($0[1], low: [0, 1], high: [1, 1])]
    }
    let model = try ProgramLowering.lower(program, channelBlock: block)
    let session = try OnnxSession(
      environment: environment, model: model.bytes, inputs: model.inputNames,
      outputs: model.outputNames)
    // Small whole numbers, no two neighbours alike: sums are exact, whatever their order.
    let inputs = program.inputTypes.map { type in
      Tensor((0..<type.shape.count).map { Double($0 * 37 % 23 - 11) }, type: type)
    }
    let options = try RunOptions(environment: environment)
    let executable = OnnxExecutable(
      program: program, session: session, options: options, context: .task)
    return try executable.run(inputs) == ReferenceExecutor().compile(program).run(inputs)
  }
}
