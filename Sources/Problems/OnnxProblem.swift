import Curvature
import Diagnosis
import Foundation
import OnnxBackend
import Presentation
import TensorFiles
import TensorPrograms

extension DiagnosisProblem {
  /// A model file with its data and loss.
  ///
  /// - Parameters:
  ///   - element: the arithmetic; the file's floating-point numbers are rounded or widened to it.
  ///   - seed: of Dropout, where `options.training`.
  ///   - memory: bytes that the data may take, and any one tensor of a run over as few samples as can be.
  /// - Throws: `OnnxModelError`, `ArrayFileError`, `TableError`, `DiagnosisFailure`: each one sentence with
  ///   the offending name and the next step.
  public init(
    _ options: ModelFileRequest, element: ElementType = .float32, seed: Int = 0,
    memory: Int = 2 << 30
  ) throws {
    let choice = try ModelFileChoice(options, element: element)
    var data = try ModelData(
      for: choice.model, inputs: choice.inputs, from: choice.dataPath, options: options)
    let traced = try TracedModelFile(choice, on: data, seed: seed, memory: memory)
    try traced.checkTarget(of: data)
    // All shapes fit: only now are the numbers worth their memory.
    try data.load(memory: memory)
    let (definition, arrays) = try traced.definition(on: data)
    let names = traced.parameters.names
    let name = (options.file as NSString).lastPathComponent
    self.init(
      name: name, definition: definition, data: arrays,
      start: names.flatMap { choice.model.initializers[$0]!.doubles }, modelName: name,
      lossName: choice.loss?.name ?? choice.output,
      targetName: choice.loss == nil ? nil : data.targetName, l2: options.l2,
      notes: traced.notes)
    readings += traced.readings
    dataName = (choice.dataPath as NSString).lastPathComponent
    if let saved = options.saved {
      atPoint = { try choice.model.save(names, at: $0, to: saved) }
    }
  }
}

extension OnnxModel {
  /// Writes parameters, whose numbers follow one another in `point`: the model with them to a .onnx file,
  /// or them alone to a .safetensors file.
  fileprivate func save(_ names: [String], at point: [Double], to path: String) throws {
    var offset = 0
    let values = names.map { name in
      let type = initializers[name]!.type
      defer { offset += type.shape.count }
      let numbers = Array(point[offset..<offset + type.shape.count])
      return (name: name, tensor: Tensor(numbers, type: type))
    }
    if path.lowercased().hasSuffix(".onnx") {
      let bytes = try settingInitializers(
        Dictionary(uniqueKeysWithValues: values.map { ($0.name, $0.tensor) }))
      try OutputFile.write(bytes, to: path)
    } else {
      try SafetensorsFile.write(values, to: path)
    }
  }
}
