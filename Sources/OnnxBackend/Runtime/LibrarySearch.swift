import Foundation

/// The places where an ONNX Runtime library may lie, asked in order until one holds a file.
///
/// The order is `ORT_DYLIB_PATH`, beside the executable, the bootstrap folder `.eigenstep/onnxruntime` in or
/// above the current folder and the executable's, that of a checkout of this package that SwiftPM made for a
/// package that depends on it, the `onnxruntime` package of `python3`, the system's library path.
struct LibrarySearch {
  var environment: [String: String]
  var executableFolder: String?
  var currentFolder: String
  /// Folder of the installed `onnxruntime` Python package, asked for only when it is its turn.
  var pythonPackageFolder: () -> String?
  /// What the system's loader is asked for by bare name, last.
  var systemNames: [String]

  #if os(macOS)
    static let platformNames = ["libonnxruntime.dylib"]
  #else
    static let platformNames = ["libonnxruntime.so", "libonnxruntime.so.1"]
  #endif

  static func ofThisProcess() -> LibrarySearch {
    let environment = ProcessInfo.processInfo.environment
    return LibrarySearch(
      environment: environment,
      executableFolder: Bundle.main.executableURL?.resolvingSymlinksInPath()
        .deletingLastPathComponent().path,
      currentFolder: FileManager.default.currentDirectoryPath,
      pythonPackageFolder: { pythonPackage(searchPath: environment["PATH"] ?? "") },
      systemNames: platformNames)
  }

  enum Outcome: Equatable {
    /// A file to load; it is an error if it does not.
    case file(String)
    /// Nothing found; the loader may still know one of `systemNames`.
    case none(tried: [String])
  }

  func find() -> Outcome {
    if let path = environment["ORT_DYLIB_PATH"], !path.isEmpty { return .file(path) }
    var tried = ["ORT_DYLIB_PATH (not set)"]
    for folder in folders() {
      if let file = Self.library(in: folder) { return .file(file) }
      tried.append(folder)
    }
    let python = pythonPackageFolder()
    if let python, let file = Self.library(in: python + "/capi") { return .file(file) }
    tried.append(
      python.map { $0 + "/capi" } ?? "the onnxruntime package of python3 (not installed)")
    return .none(tried: tried)
  }

  private func folders() -> [String] {
    var folders: [String] = []
    if let executableFolder {
      folders += ["", "/../lib/eigenstep", "/../lib"].map { executableFolder + $0 }
    }
    var bootstrap: [String] = []
    func add(_ folder: String) {
      if FileManager.default.fileExists(atPath: folder), !bootstrap.contains(folder) {
        bootstrap.append(folder)
      }
    }
    let starts = [currentFolder, executableFolder].compactMap { $0 }
    for start in starts {
      for ancestor in Self.ancestors(of: start) { add(ancestor + Self.bootstrapFolder) }
    }
    for start in starts {
      for ancestor in Self.ancestors(of: start) {
        for checkout in Self.checkouts(in: ancestor) { add(checkout + Self.bootstrapFolder) }
      }
    }
    if bootstrap.isEmpty {
      folders.append(
        "\(Self.bootstrapFolder) in or above \(currentFolder), or in SwiftPM's checkout of Eigenstep"
      )
    }
    // A wheel may be unpacked there whole, or its library alone.
    for folder in bootstrap {
      folders += ["", "/capi", "/onnxruntime/capi", "/lib"].map { folder + $0 }
    }
    return folders
  }

  private static let bootstrapFolder = ".eigenstep/onnxruntime"

  /// The packages that SwiftPM fetched into a folder, or into its `.build`.
  private static func checkouts(in folder: String) -> [String] {
    ["checkouts/", ".build/checkouts/"].flatMap { name in
      ((try? FileManager.default.contentsOfDirectory(atPath: folder + name)) ?? []).sorted()
        .map { folder + name + $0 + "/" }
    }
  }

  private static func ancestors(of path: String) -> [String] {
    var url = URL(fileURLWithPath: path).standardizedFileURL
    var result: [String] = []
    while url.path != "/" {
      result.append(url.path + "/")
      url.deleteLastPathComponent()
    }
    return result + ["/"]
  }

  /// The newest `libonnxruntime` file in a folder; the provider libraries beside it do not count.
  static func library(in folder: String) -> String? {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
    return
      names
      .filter { name in
        name.hasPrefix("libonnxruntime.so")
          || (name.hasPrefix("libonnxruntime.") && name.hasSuffix(".dylib"))
      }
      .max { $0.compare($1, options: .numeric) == .orderedAscending }
      .map { folder + "/" + $0 }
  }

  /// Asks `python3` where the package is, without importing it.
  private static func pythonPackage(searchPath: String) -> String? {
    let folders = searchPath.split(separator: ":").map(String.init)
    guard
      let python = folders.lazy.map({ $0 + "/python3" })
        .first(where: { FileManager.default.isExecutableFile(atPath: $0) })
    else { return nil }
    // The current folder is taken off the path: a stray folder there must not be loaded from.
    let script = """
      import sys; sys.path = [p for p in sys.path if p]
      import importlib.util as u; s = u.find_spec('onnxruntime')
      print(list(s.submodule_search_locations)[0] if s else '')
      """
    let process = Process()
    process.executableURL = URL(fileURLWithPath: python)
    process.arguments = ["-c", script]
    let output = Pipe()
    process.standardOutput = output
    process.standardError = FileHandle.nullDevice
    process.standardInput = FileHandle.nullDevice
    guard (try? process.run()) != nil else { return nil }
    let bytes = output.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    let path = String(decoding: bytes, as: UTF8.self)
      .trimmingCharacters(in: .whitespacesAndNewlines)
    return process.terminationStatus == 0 && !path.isEmpty ? path : nil
  }
}
