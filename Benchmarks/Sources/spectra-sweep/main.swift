// spectra-sweep [COUNT [LARGEST]]: random symmetric matrices against LAPACK's dense eigenvalues.
// Prints every broken promise and the totals; fails if there is any.
import Foundation
import LinearMaps
import RandomSpectra

let arguments = CommandLine.arguments.dropFirst().map { Int($0) }
guard arguments.count <= 2, arguments.allSatisfy({ $0 ?? 0 >= 5 }) else {
  FileHandle.standardError.write(Data("usage: spectra-sweep [COUNT [LARGEST]], at least 5\n".utf8))
  exit(64)
}
let count = (arguments.first ?? nil) ?? 10_000
let largest = (arguments.dropFirst().first ?? nil) ?? 400
// Small matrices: threads cost more than they bring.
LinearAlgebraThreads.set(1)

var (broken, violations, converged, products) = (0, 0, 0, 0)
let start = ContinuousClock.now
for index in 0..<count {
  let audit = try SpectrumAudit(index: index, largest: largest)
  broken += audit.violations.isEmpty ? 0 : 1
  violations += audit.violations.count
  converged += audit.isConverged ? 1 : 0
  products += audit.products
  for sentence in audit.violations { print("\(audit.label): \(sentence)") }
}
let seconds = (ContinuousClock.now - start) / .seconds(1)
print(
  "\(count) matrices of 5 to \(largest) rows: \(violations) violations in \(broken) of them; "
    + "\(converged) converged; \(products) products; \(String(format: "%.0f", seconds)) s")
exit(broken == 0 ? 0 : 1)
