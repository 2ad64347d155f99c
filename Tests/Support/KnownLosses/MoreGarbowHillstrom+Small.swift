import Foundation
import TensorPrograms

/// Problems 1 to 19, of a fixed size.
extension MoreGarbowHillstrom {
  static let small: [MoreGarbowHillstrom] = [
    .init("rosenbrock", [-1.2, 1]) { p in p.joined((p[2] - p[1].square()) * 10, 1 - p[1]) },
    .init("freudenstein-roth", [0.5, -2]) { p in
      let (a, b) = (p[1], p[2])
      return p.joined(a - 13 + ((5 - b) * b - 2) * b, a - 29 + ((b + 1) * b - 14) * b)
    },
    .init("powell-badly-scaled", [0, 1]) { p in
      p.joined(p[1] * p[2] * 1e4 - 1, (-p[1]).exp() + (-p[2]).exp() - 1.0001)
    },
    .init("brown-badly-scaled", [1, 1]) { p in p.joined(p[1] - 1e6, p[2] - 2e-6, p[1] * p[2] - 2) },
    .init("beale", [1, 1]) { p in
      let powers = p.joined(p[2], p[2].square(), p[2].square() * p[2])
      return p.vector([1.5, 2.25, 2.625]) - p[1] * (1 - powers)
    },
    .init("jennrich-sampson", [0.3, 0.4]) { p in
      let i = p.vector(count(10))
      return 2 + 2 * i - ((i * p[1]).exp() + (i * p[2]).exp())
    },
    .init("helical-valley", [-1, 0, 0]) { p in
      let radius = (p[1].square() + p[2].square()).sqrt()
      // atan(y / x), and half a turn more where x < 0, by three times half the angle.
      let side = p[1].sign()
      var t = side * p[2] / (radius + p[1].abs())
      for _ in 0..<2 { t = t / (1 + (1 + t.square()).sqrt()) }
      let square = t.square()
      var series = t.scalar(0)
      for k in stride(from: 23, through: 1, by: -2) {
        series = 1 / Double(k) - square * series
      }
      let turn = t * series * (8 / (2 * Double.pi)) + (1 - side) / 4
      return p.joined((p[3] - turn * 10) * 10, (radius - 1) * 10, p[3])
    },
    .init("bard", [1, 1, 1]) { p in
      let u = count(15)
      let v = u.map { 16 - $0 }
      return p.vector(bard)
        - (p[1] + p.vector(u) / (p.vector(v) * p[2] + p.vector(zip(u, v).map(min)) * p[3]))
    },
    .init("gaussian", [0.4, 1, 0]) { p in
      let t = p.vector(count(15).map { (8 - $0) / 2 })
      return p[1] * (-p[2] * (t - p[3]).square() / 2).exp() - p.vector(gaussian)
    },
    .init("meyer", [0.02, 4000, 250]) { p in
      let t = p.vector(count(16).map { 45 + 5 * $0 })
      return p[1] * (p[2] / (t + p[3])).exp() - p.vector(meyer)
    },
    .init("gulf", [5, 2.5, 0.15]) { p in
      let t = count(99).map { $0 / 100 }
      let y = p.vector(t.map { 25 + pow(-50 * log($0), 2.0 / 3) })
      return (-(p[3] * (y - p[2]).abs().log()).exp() / p[1]).exp() - p.vector(t)
    },
    .init("box", [0, 10, 20]) { p in
      let t = count(10).map { $0 / 10 }
      let times = p.vector(t)
      return (-times * p[1]).exp() - (-times * p[2]).exp()
        - p[3] * p.vector(t.map { exp(-$0) - exp(-10 * $0) })
    },
    .init("powell-singular", [3, -1, 0, 1], powellSingular),
    .init("wood", [-3, -1, -3, -1]) { p in
      p.joined(
        (p[2] - p[1].square()) * 10, 1 - p[1], (p[4] - p[3].square()) * 90.0.squareRoot(),
        1 - p[3], (p[2] + p[4] - 2) * 10.0.squareRoot(), (p[2] - p[4]) / 10.0.squareRoot())
    },
    .init("kowalik-osborne", [0.25, 0.39, 0.415, 0.39]) { p in
      let u = p.vector(kowalik.u)
      let square = u.square()
      return p.vector(kowalik.y) - p[1] * (square + u * p[2]) / (square + u * p[3] + p[4])
    },
    .init("brown-dennis", [25, 5, -5, -1]) { p in
      let t = count(20).map { $0 / 5 }
      return (p[1] + p.vector(t) * p[2] - p.vector(t.map { exp($0) })).square()
        + (p[3] + p[4] * p.vector(t.map { sin($0) }) - p.vector(t.map { cos($0) })).square()
    },
    .init("osborne-1", [0.5, 1.5, -1, 0.01, 0.02]) { p in
      let t = p.vector(count(33, from: 0).map { -10 * $0 })
      return p.vector(osborneOne) - (p[1] + p[2] * (t * p[4]).exp() + p[3] * (t * p[5]).exp())
    },
    .init("biggs-exp6", [1, 2, 1, 1, 1, 1]) { p in
      let t = count(13).map { $0 / 10 }
      let times = -p.vector(t)
      let y = t.map { exp(-$0) - 5 * exp(-10 * $0) + 3 * exp(-4 * $0) }
      return p[3] * (times * p[1]).exp() - p[4] * (times * p[2]).exp()
        + p[6] * (times * p[5]).exp() - p.vector(y)
    },
    .init("osborne-2", [1.3, 0.65, 0.65, 0.7, 0.6, 3, 5, 7, 2, 4.5, 5.5]) { p in
      let t = p.vector(count(65, from: 0).map { $0 / 10 })
      func bell(_ k: Int) -> Traced { p[k] * (-(t - p[k + 7]).square() * p[k + 4]).exp() }
      return p.vector(osborneTwo) - (p[1] * (-t * p[5]).exp() + bell(2) + bell(3) + bell(4))
    },
  ]

  @Sendable static func powellSingular(_ p: Point) -> Traced {
    let x = (1...4).map { p.every(4, from: $0) }
    return p.joined(
      x[0] + x[1] * 10, (x[2] - x[3]) * 5.0.squareRoot(), (x[1] - x[2] * 2).square(),
      (x[0] - x[3]).square() * 10.0.squareRoot())
  }

  private static let bard = [
    0.14, 0.18, 0.22, 0.25, 0.29, 0.32, 0.35, 0.39, 0.37, 0.58, 0.73, 0.96, 1.34, 2.1, 4.39,
  ]

  private static let gaussian = [
    0.0009, 0.0044, 0.0175, 0.054, 0.1295, 0.242, 0.3521, 0.3989, 0.3521, 0.242, 0.1295, 0.054,
    0.0175, 0.0044, 0.0009,
  ]

  private static let meyer: [Double] = [
    34780, 28610, 23650, 19630, 16370, 13720, 11540, 9744, 8261, 7030, 6005, 5147, 4427, 3820,
    3307, 2872,
  ]

  private static let kowalik = (
    y: [0.1957, 0.1947, 0.1735, 0.16, 0.0844, 0.0627, 0.0456, 0.0342, 0.0323, 0.0235, 0.0246],
    u: [4, 2, 1, 0.5, 0.25, 0.167, 0.125, 0.1, 0.0833, 0.0714, 0.0625]
  )

  private static let osborneOne = [
    0.844, 0.908, 0.932, 0.936, 0.925, 0.908, 0.881, 0.850, 0.818, 0.784, 0.751, 0.718, 0.685,
    0.658, 0.628, 0.603, 0.580, 0.558, 0.538, 0.522, 0.506, 0.490, 0.478, 0.467, 0.457, 0.448,
    0.438, 0.431, 0.424, 0.420, 0.414, 0.411, 0.406,
  ]

  private static let osborneTwo = [
    1.366, 1.191, 1.112, 1.013, 0.991, 0.885, 0.831, 0.847, 0.786, 0.725, 0.746, 0.679, 0.608,
    0.655, 0.616, 0.606, 0.602, 0.626, 0.651, 0.724, 0.649, 0.649, 0.694, 0.644, 0.624, 0.661,
    0.612, 0.558, 0.533, 0.495, 0.5, 0.423, 0.395, 0.375, 0.372, 0.391, 0.396, 0.405, 0.428,
    0.429, 0.523, 0.562, 0.607, 0.653, 0.672, 0.708, 0.633, 0.668, 0.645, 0.632, 0.591, 0.559,
    0.597, 0.625, 0.739, 0.710, 0.729, 0.720, 0.636, 0.581, 0.428, 0.292, 0.162, 0.098, 0.054,
  ]
}
