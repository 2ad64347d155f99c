import Foundation
import Testing

/// The drawing in `docs/architecture.md` against `Package.swift` and the sources.
@Suite struct ArchitectureTests {
  static let root = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

  static func text(_ path: String) throws -> String {
    try String(contentsOf: root.appendingPathComponent(path), encoding: .utf8)
  }

  /// `A, B -> C, D` per line of the drawing: what each module may import directly.
  static func drawing() throws -> [String: Set<String>] {
    let document = try text("docs/architecture.md")
    let block = try #require(document.components(separatedBy: "## Modules").dropFirst().first)
      .components(separatedBy: "\n## ")[0]
    var edges: [String: Set<String>] = [:]
    for line in block.split(separator: "\n")
    where line.hasPrefix("    ") && line.contains("->") {
      let sides = line.components(separatedBy: "->")
      func names(_ side: String) -> [String] {
        side.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }
      }
      for name in names(sides[0]) { edges[name, default: []].formUnion(names(sides[1])) }
    }
    return edges
  }

  /// Everything that can be reached from a module.
  static func reachable(_ name: String, _ edges: [String: Set<String>]) -> Set<String> {
    var found: Set<String> = []
    var open = Array(edges[name] ?? [])
    while let next = open.popLast() {
      if found.insert(next).inserted { open += edges[next] ?? [] }
    }
    return found
  }

  /// The package's own targets in Sources with the dependencies that `Package.swift` names.
  static func declared() throws -> [String: Set<String>] {
    let package = try text("Package.swift")
    let modules = try Set(
      FileManager.default.contentsOfDirectory(
        atPath: root.appendingPathComponent("Sources").path))
    var targets: [String: Set<String>] = [:]
    for part in package.components(separatedBy: "arget(").dropFirst() {
      let quoted = part.components(separatedBy: "\"")
      guard quoted.count > 1, modules.contains(quoted[1]), !part.contains("path:") else { continue }
      let list = part.components(separatedBy: "dependencies: [")
      // Products of other packages stand between the names; the list ends at the first line that closes it.
      let names = list.count > 1 ? list[1].components(separatedBy: "exclude:")[0] : ""
      targets[quoted[1]] = Set(names.components(separatedBy: "\"").filter { modules.contains($0) })
    }
    return targets
  }

  @Test func `the modules of the package are those that are drawn, and none leads back`() throws {
    let edges = try Self.drawing()
    let targets = try Self.declared()
    #expect(targets.count >= 14)
    let drawn = Set(edges.keys).union(edges.values.joined())
    #expect(drawn == Set(targets.keys))
    for name in targets.keys {
      #expect(!Self.reachable(name, edges).contains(name), "\(name) leads back to itself")
      let extra = targets[name]!.subtracting(Self.reachable(name, edges))
      #expect(extra.isEmpty, "\(name) depends on \(extra), which is not drawn")
      let missing = (edges[name] ?? []).subtracting(Self.reachable(name, targets))
      #expect(missing.isEmpty, "\(name) is drawn to \(missing), which Package.swift does not name")
    }
  }

  @Test func `sources import what is drawn`() throws {
    let edges = try Self.drawing()
    let modules = Set(try Self.declared().keys)
    var count = 0
    for (module, path, text) in try Self.sources() {
      for line in text.split(separator: "\n") {
        guard
          let match = line.prefixMatch(
            of:
              /(?:[@\w]+ )*import (?:(?:struct|class|enum|protocol|func|let|var|typealias) )?(\w+)/)
        else {
          continue
        }
        let imported = String(match.1)
        guard modules.contains(imported) else { continue }
        count += 1
        #expect(
          Self.reachable(module, edges).contains(imported), "\(path) imports \(imported)")
      }
    }
    #expect(count > 300)
  }

  @Test func `no source is long, and most are read at a glance`() throws {
    let lengths = try Self.sources().filter { !$0.path.hasSuffix(".pb.swift") }
      .map { source in
        (
          source.path,
          source.text.split(separator: "\n", omittingEmptySubsequences: false).count - 1
        )
      }
    for (path, length) in lengths { #expect(length <= 350, "\(path) has \(length) lines") }
    let median = lengths.map(\.1).sorted()[lengths.count / 2]
    #expect((85...150).contains(median), "the median is \(median) lines")
  }

  static func sources() throws -> [(module: String, path: String, text: String)] {
    let folder = root.appendingPathComponent("Sources")
    let files = try #require(
      FileManager.default.enumerator(at: folder, includingPropertiesForKeys: nil))
    return try files.compactMap { $0 as? URL }.filter { $0.pathExtension == "swift" }.map {
      let path = $0.path.dropFirst(folder.path.count + 1)
      return (
        String(path.split(separator: "/")[0]), String(path),
        try String(contentsOf: $0, encoding: .utf8)
      )
    }
  }
}
