import LinearMaps
import TensorPrograms

extension Objective {
  /// The diagonal `P` of feature scaling: `s_j^2` for every weight that multiplies feature `j`, 1 for all
  /// other parameters, with `s_j` the standard deviation of feature `j`.
  ///
  /// `P^-1/2 H P^-1/2` is the Hessian in the weights `s_j w_j`, that is, on the features `x_j / s_j`.
  /// Centring is no diagonal change of variables (it moves the bias) and is not covered.
  /// A feature without spread keeps `s_j = 1`.
  ///
  /// - Parameters:
  ///   - parameter: position of the weights that meet the features.
  ///   - axis: the axis of those weights that runs over the features.
  ///   - array: position of the features among the data, `[n, features]`.
  public func featureScales(
    parameter: Int = 0, axis: Int = 0, array: Int = 0
  ) -> [Double] {
    let features = data[array]
    let (n, d) = (features.shape[0], features.shape.removing([0]).count)
    let weights = definition.parameters[parameter].shape
    precondition(
      weights[axis] == d, "axis \(axis) of \(weights) does not run over the \(d) features")
    let values = features.doubles
    let squares = (0..<d).map { column -> Double in
      let entries = stride(from: column, to: n * d, by: d).map { values[$0] }
      let mean = entries.reduce(0, +) / Double(n)
      let square = entries.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(n)
      return square > 0 ? square : 1
    }
    var diagonal = [Double](repeating: 1, count: parameterCount)
    let step = weights.strides[axis]
    for index in 0..<weights.count {
      diagonal[layout.offsets[parameter] + index] = squares[index / step % d]
    }
    return diagonal
  }
}
