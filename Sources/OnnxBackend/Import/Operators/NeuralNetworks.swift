extension OperatorCatalogue {
  /// Layers, and the losses behind them.
  static let neuralNetworks: [OperatorRule] =
    convolutions + pooling + normalization + dropout + resizing + recurrence + attention + losses
    + contributed + contributedAttention + contributedProducts + quantization + randomness
}
