import Diagnosis
import Training

/// Two reports with every kind of value: a raw table with all prescriptions run, and a network that
/// is non-convex, without trials.
enum ExampleReport {
  static let rawTable = DiagnosisReport(
    problem: .init(
      parameters: 14, samples: 178, features: 13, loss: 0.8033707865, gradientNorm: 812.4,
      seed: 0, precision: "float64", executor: "reference", name: "wine.csv", model: "linear",
      lossName: "half-squared-error", target: "class", optimizer: "gd",
      notes: ["The target class has 3 whole-number values; --model linear fits it as a number."]),
    curvature: .init(
      largest: .init(
        value: 665841.1998, residual: 2e-10, upperBound: 665841.1998, failureProbability: 0),
      smallest: .init(value: 0.001451048817, residual: 3e-11),
      smallestPositive: .init(value: 0.001451048817, residual: 3e-11),
      effectiveSmallest: 171.3, conditionNumber: 4.5886892e8, effectiveConditionNumber: 3886.98,
      gaussNewtonConditionNumber: 4.5886892e8, indefinite: false, operatorApplications: 28,
      zeroThreshold: 2.07e-9, severity: .severe),
    learningRate: .init(
      LearningRateFacts(
        .init(
          largest: 665841.1998, upperBound: 665841.1998, smallest: 0.001451048817,
          smallestPositive: 0.001451048817, zeroThreshold: 2.07e-9),
        given: 1e-6), optimizer: "gradient descent", isLimitGlobal: true),
    directions: [665841.1998, 171.3, 0.9, 0.001451048817].map {
      EigenDirection(eigenvalue: $0, zeroThreshold: 2.07e-9, rate: 1e-6, tolerance: 1e-6)
    },
    prediction: .init(
      rate: 1e-6, iterations: 4_760_230_000, tolerance: 1e-6,
      curve: [
        .init(step: 1, relativeGap: 0.82), .init(step: 100, relativeGap: 0.33),
        .init(step: 10_000, relativeGap: 0.28), .init(step: 1_000_000, relativeGap: 0.19),
      ]),
    findings: [
      .featureScales(
        guilty: [
          .init(name: "proline", scale: 810.1), .init(name: "magnesium", scale: 100.8),
        ],
        smallest: .init(name: "nonflavanoid_phenols", scale: 0.3823),
        conditionNumber: 4.5886892e8, afterStandardising: 45.520838),
      .rateLimitedBySharpest(
        rate: 1e-6, sharpness: 665841.1998, flattest: 0.001451048817, halfLife: 4.78e8),
    ],
    prescriptions: [
      Prescription(
        .standardiseFeatures,
        change: "Divide every column by its standard deviation after subtracting its mean",
        predicted: .init(conditionNumber: 45.520838, rate: 0.4158671457, iterations: 163),
        measured: .init(
          iterations: 163, reached: true, diverged: false, loss: 0.029838693733,
          relativeGap: 9.8e-7, gradientEquivalents: 163, stepsRun: 163)),
      Prescription(
        .newtonCG, change: "Solve for the step with conjugate gradients (Newton-CG)",
        measured: .init(
          iterations: 2, reached: true, diverged: false, loss: 0.0298386936,
          relativeGap: 1e-12, gradientEquivalents: 412.5, stepsRun: 2)),
      Prescription(
        .safeRate, change: "Use the learning rate 1.5e-6",
        predicted: .init(conditionNumber: 4.5886892e8, rate: 1.50186e-6, iterations: 3_169_551_000),
        measured: .init(
          iterations: nil, reached: false, diverged: false, loss: 0.2419, relativeGap: 0.2737,
          gradientEquivalents: 200_000, stepsRun: 200_000)),
      Prescription(
        .asGiven, change: "Keep the learning rate 1e-6",
        predicted: .init(conditionNumber: 4.5886892e8, rate: 1e-6, iterations: 4_760_230_000),
        measured: .init(
          iterations: nil, reached: false, diverged: false, loss: 0.2479, relativeGap: 0.2813,
          gradientEquivalents: 200_000, stepsRun: 200_000)),
      Prescription(
        .adam, change: "Train with Adam at 0.001", predicted: .init(rate: 0.001),
        measured: .init(
          iterations: nil, reached: false, diverged: true, loss: nil, relativeGap: nil,
          gradientEquivalents: 312, stepsRun: 312),
        note: "theory gives no number of steps"),
    ].ranked())

  static let network = DiagnosisReport(
    problem: .init(
      parameters: 5130, samples: 178, features: 13, loss: 1.1203, gradientNorm: 0.7421, seed: 3,
      precision: "float32", executor: "onnxruntime", name: "wine.csv", model: "mlp:64,64:tanh",
      lossName: "cross-entropy", target: "class", optimizer: "adam"),
    curvature: .init(
      largest: .init(
        value: 12.5, residual: 3e-6, upperBound: 12.51, failureProbability: 1e-6),
      smallest: .init(value: -0.31, residual: 2e-4), effectiveSmallest: 0.0421,
      effectiveConditionNumber: 297.1, gaussNewtonConditionNumber: nil, indefinite: true,
      operatorApplications: 96, zeroThreshold: 7.6e-3),
    learningRate: .init(
      LearningRateFacts(
        .init(largest: 12.5, upperBound: 12.51, smallest: -0.31, zeroThreshold: 7.6e-3),
        rule: .adam(beta1: 0.9)),
      note: "Adam has no preconditioner before its first step"),
    directions: [12.5, 3.2, -0.31].map {
      EigenDirection(eigenvalue: $0, zeroThreshold: 7.6e-3, rate: 1 / 12.51, tolerance: 1e-6)
    },
    prediction: .init(rate: 1 / 12.51, iterations: nil, tolerance: 1e-6),
    findings: [
      .negativeCurvature(
        mostNegative: -0.31, largest: 12.5, gradientIsSmall: false,
        gaussNewtonConditionNumber: nil)
    ],
    prescriptions: [
      Prescription(
        .momentum, change: "Train with momentum 0.79 at rate 0.25",
        predicted: .init(conditionNumber: 297.1, rate: 0.25))
    ])
}
