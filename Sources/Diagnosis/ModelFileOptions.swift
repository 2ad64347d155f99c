/// What goes with a model file: its data, its loss and what is trained.
public struct ModelFileOptions: Sendable, Equatable {
  /// NPZ, NPY, safetensors or CSV; arrays are matched to the model's inputs by name.
  public var data: String?
  /// The array that the loss compares the output with.
  public var target = "target"
  /// A name of ``ModelLoss/all``.
  public var loss: String?
  /// The output that the loss is of; nil for the only or first one.
  public var output: String?
  /// The output that is a scalar loss itself.
  public var lossOutput: String?
  /// Patterns, between commas, of the stored tensors that training moves; nil for all that it can.
  public var parameters: String?
  /// Patterns of those that it does not.
  public var frozen: String?
  /// Only the first so many samples.
  public var samples: Int?
  /// Whether BatchNormalization and Dropout act as while training.
  public var training = false
  /// Where the parameters at the point of diagnosis go: a .safetensors or .onnx file.
  public var saved: String?

  public init() {}
}
