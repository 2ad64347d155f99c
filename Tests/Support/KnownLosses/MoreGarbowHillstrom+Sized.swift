import Foundation
import TensorPrograms

/// Problems 20 to 35, which exist in every size.
extension MoreGarbowHillstrom {
  static let sized: [MoreGarbowHillstrom] = [
    .init("watson", repeated([0], 9)) { p in
      let t = count(29).map { $0 / 29 }
      let slope = p.product(
        t.map { t in (2...p.n).map { Double($0 - 1) * pow(t, Double($0 - 2)) } }, p[2...p.n])
      let value = p.product(t.map { t in (1...p.n).map { pow(t, Double($0 - 1)) } }, p.x)
      return p.joined(slope - value.square() - 1, p[1], p[2] - p[1].square() - 1)
    },
    .init("extended-rosenbrock", repeated([-1.2, 1], 5)) { p in
      let (odd, even) = (p.every(2, from: 1), p.every(2, from: 2))
      return p.joined((even - odd.square()) * 10, 1 - odd)
    },
    .init("extended-powell", repeated([3, -1, 0, 1], 3), powellSingular),
    .init("penalty-1", count(10)) { p in
      p.joined((p.x - 1) * 1e-5.squareRoot(), p.sum(p.x.square()) - 0.25)
    },
    .init("penalty-2", repeated([0.5], 10)) { p in
      let (n, root) = (p.n, 1e-5.squareRoot())
      let e = (p.x / 10).exp()
      let (later, earlier) = (e.slice(axis: 0, 1..<n), e.slice(axis: 0, 0..<n - 1))
      let y = (2...n).map { exp(Double($0) / 10) + exp(Double($0 - 1) / 10) }
      return p.joined(
        p[1] - 0.2, (later + earlier - p.vector(y)) * root, (later - exp(-0.1)) * root,
        p.sum(p.vector((1...n).map { Double(n - $0 + 1) }) * p.x.square()) - 1)
    },
    .init("variably-dimensioned", count(10).map { 1 - $0 / 10 }) { p in
      let s = p.sum(p.vector(count(p.n)) * (p.x - 1))
      return p.joined(p.x - 1, s, s.square())
    },
    .init("trigonometric", repeated([0.1], 10)) { p in
      let cosines = p.x.cos()
      return Double(p.n) - p.sum(cosines) + p.vector(count(p.n)) * (1 - cosines) - p.x.sin()
    },
    .init("brown-almost-linear", repeated([0.5], 10)) { p in
      let product = (1...p.n).reduce(p.vector([1])) { $0 * p[$1] }
      return p.joined(p[1...p.n - 1] + p.sum(p.x) - Double(p.n + 1), product - 1)
    },
    .init("discrete-boundary-value", boundaryStart(10)) { p in
      let h = 1 / Double(p.n + 1)
      let t = p.vector(count(p.n).map { $0 * h })
      return p.x * 2 - p.shifted(-1) - p.shifted(1) + cube(p.x + t + 1) * (h * h / 2)
    },
    .init("discrete-integral-equation", boundaryStart(10)) { p in
      let h = 1 / Double(p.n + 1)
      let t = count(p.n).map { $0 * h }
      let kernel = t.map { row in t.map { $0 <= row ? (1 - row) * $0 : row * (1 - $0) } }
      return p.x + p.product(kernel, cube(p.x + p.vector(t) + 1)) * (h / 2)
    },
    .init("broyden-tridiagonal", repeated([-1], 10)) { p in
      (3 - p.x * 2) * p.x - p.shifted(-1) - p.shifted(1) * 2 + 1
    },
    .init("broyden-banded", repeated([-1], 10)) { p in
      let band = (0..<p.n).map { i in
        (0..<p.n).map { j in j != i && j >= i - 5 && j <= i + 1 ? 1.0 : 0 }
      }
      return p.x * (2 + p.x.square() * 5) + 1 - p.product(band, p.x * (1 + p.x))
    },
    .init("linear-full-rank", repeated([1], 10)) { p in
      let mean = p.sum(p.x) * (2 / 20.0)
      return p.joined(p.x - mean - 1, p.vector(repeated([-1], 20 - p.n)) - mean)
    },
    .init("linear-rank-1", repeated([1], 10)) { p in
      p.vector(count(20)) * p.sum(p.vector(count(p.n)) * p.x) - 1
    },
    .init("linear-rank-1-zero", repeated([1], 10)) { p in
      p.vector([0] + count(18) + [0])
        * p.sum(p.vector(count(p.n - 2, from: 2)) * p[2...p.n - 1]) - 1
    },
    .init("chebyquad", count(8).map { $0 / 9 }) { p in
      let t = p.x * 2 - 1
      var (before, now) = (t.zeros() + 1, t)
      let means = (1...p.n).map { k -> Traced in
        defer { (before, now) = (now, t * now * 2 - before) }
        return p.sum(now) / Double(p.n) - (k % 2 == 1 ? 0 : -1 / Double(k * k - 1))
      }
      return Traced.concatenate(means, axis: 0)
    },
  ]

  private static func boundaryStart(_ n: Int) -> [Double] {
    count(n).map { $0 / Double(n + 1) * ($0 / Double(n + 1) - 1) }
  }

  private static func cube(_ v: Traced) -> Traced { v.square() * v }
}

extension MoreGarbowHillstrom.Point {
  /// The entries `x_(j + by)`, zero beyond the ends; `by` is 1 or -1.
  fileprivate func shifted(_ by: Int) -> Traced {
    let zero = vector([0])
    return by > 0 ? joined(self[2...n], zero) : joined(zero, self[1...n - 1])
  }
}
