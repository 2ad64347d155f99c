import Foundation
import LinearMaps
import Testing

@testable import Curvature

/// The interval of the largest eigenvalue against the population's, over repeated draws of least squares
/// `X'X / n` with five independent columns of one distribution.
///
/// `EIGENSTEP_COVERAGE_RUNS=1000` makes that many draws of each and prints docs/sampling-error.md's table.
@Suite struct SamplingCoverageTests {
  enum Column: String, CaseIterable, Sendable {
    case normal, uniform, lognormal
    case student5 = "Student's t(5)"
    case student3 = "Student's t(3)"
    case mixture = "normal, one entry in ten tenfold"

    /// Of one entry; each has mean 0.
    var variance: Double {
      switch self {
      case .normal: 1
      case .uniform: 1.0 / 3
      case .lognormal: M_E * M_E - M_E
      case .student5: 5.0 / 3
      case .student3: 3
      case .mixture: 0.9 + 0.1 * 100
      }
    }

    func draw(_ generator: inout SeededGenerator) -> Double {
      func student(_ freedom: Int, _ generator: inout SeededGenerator) -> Double {
        var squares = 0.0
        for _ in 0..<freedom {
          let z = generator.nextNormal()
          squares += z * z
        }
        return generator.nextNormal() / (squares / Double(freedom)).squareRoot()
      }
      switch self {
      case .normal: return generator.nextNormal()
      case .uniform: return 2 * generator.nextUniform() - 1
      case .lognormal: return exp(generator.nextNormal()) - M_E.squareRoot()
      case .student5: return student(5, &generator)
      case .student3: return student(3, &generator)
      case .mixture: return generator.nextNormal() * (generator.nextUniform() < 0.1 ? 10 : 1)
      }
    }
  }

  struct Cell: Sendable, CustomTestStringConvertible {
    var column: Column
    var rows: Int
    /// Variances of the columns, relative to the first.
    var scales: [Double]
    var testDescription: String {
      "\(column.rawValue), \(rows) rows, \(scales[1] == 1 ? "equal columns" : "one column apart")"
    }
  }

  static let apart = [1, 0.25, 0.1, 0.1, 0.05]
  static let equal = [1.0, 1, 1, 1, 1]
  static let cells = [apart, equal].flatMap { scales in
    Column.allCases.flatMap { column in
      [40, 200].map { Cell(column: column, rows: $0, scales: scales) }
    }
  }

  struct Counts {
    var (covered, warned, silentMiss, studentCovered) = (0, 0, 0, 0)
    var upper: [Double] = []
  }

  /// Draws, and what became of the interval in each.
  func count(_ cell: Cell, runs: Int, seed: UInt64) throws -> Counts {
    var generator = SeededGenerator(seed: seed)
    let (d, n, groupCount) = (cell.scales.count, cell.rows, 10)
    let size = n / groupCount
    let truth = cell.column.variance
    var options = TopEigenpairs<Double>.Options()
    options.tolerance = 1e-5
    var result = Counts()
    for _ in 0..<runs {
      let rows = (0..<n).map { _ in
        cell.scales.map { $0.squareRoot() * cell.column.draw(&generator) }
      }
      let maps = (0..<groupCount).map { group in
        var h = [Double](repeating: 0, count: d * d)
        for row in rows[group * size..<(group + 1) * size] { addOuter(row, 1 / Double(size), &h) }
        return DenseSymmetricMap<Double>(columnMajor: h, dimension: d)
      }
      let error = try SamplingError.eigenvalue(
        of: maps, sizes: [Int](repeating: size, count: groupCount), options: options,
        parts: { u in
          let values = rows.map { row in
            let along = zip(row, u).reduce(0) { $0 + $1.0 * $1.1 }
            return along * along / u.reduce(0) { $0 + $1 * $1 }
          }
          return (values, [Int](repeating: 1, count: n))
        })
      let isCovered = error.lower <= truth && truth <= error.upper
      result.covered += isCovered ? 1 : 0
      result.warned += error.warning == nil ? 0 : 1
      result.silentMiss += !isCovered && error.warning == nil ? 1 : 0
      // As the interval was: Student's quantile on both sides.
      let reach = studentQuantile(0.975, freedom: groupCount - 1) * error.standardError
      result.studentCovered += error.lower <= truth && truth <= error.value + reach ? 1 : 0
      result.upper.append(error.upper / truth)
    }
    result.upper.sort()
    return result
  }

  /// Coverage within the binomial error of so many draws, and hardly a miss without a warning, also where
  /// a fourth moment does not exist.
  @Test(arguments: cells)
  func coversOnHeavyTails(_ cell: Cell) throws {
    let asked = ProcessInfo.processInfo.environment["EIGENSTEP_COVERAGE_RUNS"].flatMap(Int.init)
    let runs = asked ?? 100
    let counts = try count(cell, runs: runs, seed: 2024)
    if asked != nil {
      func percent(_ count: Int) -> String {
        String(format: "%.1f", 100 * Double(count) / Double(runs))
      }
      print(
        "| \(cell.testDescription) | \(percent(counts.covered)) | \(percent(counts.studentCovered)) | "
          + "\(percent(counts.warned)) | \(percent(counts.silentMiss)) | "
          + String(format: "%.2f |", counts.upper[runs / 2]))
    }
    let deviation = (0.95 * 0.05 * Double(runs)).squareRoot()
    #expect(Double(counts.covered) >= 0.95 * Double(runs) - 3 * deviation)
    #expect(Double(counts.silentMiss) <= 0.05 * Double(runs) + 3 * deviation)
    // On light tails two hundred rows are enough, and nothing is held back.
    if cell.rows == 200, cell.column == .normal || cell.column == .uniform {
      #expect(counts.warned * 10 <= runs)
    }
  }

  /// Where a few samples carry the curvature the warning says so.
  @Test func namesTheTail() throws {
    var values = (0..<100).map { 1 + Double($0) / 100 }
    values[17] = 400
    values[18] = 90
    values[40] = 30
    let tail = HeavyTail(values, sizes: [Int](repeating: 1, count: 100))
    #expect(tail.index.map { $0 < 1.5 } == true)
    #expect(abs(tail.largestShare - 400 / values.reduce(0, +)) < 1e-12)
    #expect(tail.unseen > 4)
    let error = SamplingError(
      value: 6.5, corrected: 6.5, standardError: 1, lower: 4, upper: 20, confidence: 0.95,
      groups: 10, groupApplications: 0, samples: 100, tail: tail)
    #expect(error.warning?.contains("sharper ones may be missing") == true)
    #expect(error.tailIndex == tail.index && error.unseen == tail.unseen)
    // Hill's index of an exact Pareto quantile grid, of 1.5.
    let pareto = (0..<400).map { pow((Double($0) + 0.5) / 400, -1 / 1.5) }
    let exact = HeavyTail(pareto, sizes: [Int](repeating: 1, count: 400))
    #expect(abs(exact.index! - 1.5) < 0.15)
    // Equal values have no tail: one more of them is all that may be missing.
    let even = HeavyTail([2, 2, 2, 2, 2, 2], sizes: [1, 1, 1, 1, 1, 1])
    #expect(even.index == nil && abs(even.unseen - 2.0 / 6) < 1e-15)
    let negative = HeavyTail([-1, -2, -3, -1], sizes: [3, 3, 3, 3])
    #expect(negative.unseen == 0 && negative.largestShare == 0)
  }
}
