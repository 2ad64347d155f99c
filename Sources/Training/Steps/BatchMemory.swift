import TensorPrograms

/// Some samples of a data set, in memory that a prepared run reads.
final class BatchMemory {
  let views: [TensorView]
  private let data: [Tensor]

  init(_ data: [Tensor], count: Int) {
    self.data = data
    views = data.map { tensor in
      var shape = tensor.shape
      shape[0] = count
      let type = TensorType(tensor.element, shape)
      return TensorView(
        .allocate(byteCount: max(1, type.byteCount), alignment: 64), type: type)
    }
  }

  deinit { for view in views { view.pointer.deallocate() } }

  func fill(_ samples: ArraySlice<Int>) {
    for (tensor, view) in zip(data, views) {
      let row = view.type.byteCount / max(1, samples.count)
      tensor.withUnsafeBytes { bytes in
        for (place, sample) in samples.enumerated() {
          (view.pointer + place * row).copyMemory(
            from: bytes.baseAddress! + sample * row, byteCount: row)
        }
      }
    }
  }
}
