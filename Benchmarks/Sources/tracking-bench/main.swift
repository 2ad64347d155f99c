switch CommandLine.arguments.dropFirst().first {
case "cost": try trackingCost()
case "edge": try edgeOfStability()
default: print("tracking-bench cost | edge")
}
