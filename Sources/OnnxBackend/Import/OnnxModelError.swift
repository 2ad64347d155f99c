/// What is wrong with a model file, or with what was asked of it, in one sentence.
public struct OnnxModelError: Error, Hashable, Sendable, CustomStringConvertible {
  public let description: String

  init(_ description: String) { self.description = description }
}
