/// The version of the library, of the program and of the Python package.
public enum EigenstepVersion {
  public static let current = "0.1.0"
}
