import Curvature
import Presentation

/// Everything a diagnosis found; `docs/json.md` describes its JSON, which is stable.
///
/// A value that does not exist is nil and prints as `null`; no number is ever NaN.
public struct DiagnosisReport: Sendable, Equatable, Codable {
  public static let currentSchema = "eigenstep.diagnosis/1"

  public let schema: String
  public let problem: Problem
  public let curvature: Curvature
  public let learningRate: LearningRate
  /// Sharpest first; all of them for small problems, the extreme ones for large.
  public let directions: [EigenDirection]
  public let prediction: Prediction
  /// The most important first.
  public let findings: [Finding]
  /// Best first, as ``Swift/Sequence/ranked()`` orders them.
  public let prescriptions: [Prescription]
  /// Each layer of a network by itself; empty for a model of one layer.
  public let layers: [LayerCurvature]
  /// Made of all the rest.
  public let advice: Advice
  /// What was asked for, to be run again by `eigenstep run`.
  public var request: DiagnosisRequest?
  /// How far the diagnosis got; nil in reports of earlier versions.
  public var stage: Stage? = .complete
  /// What was said before everything was measured; nil where no curvature limits the rate.
  public var first: FirstAnswer?
  /// What training on mini-batches changes; nil, and left out of the JSON, where no batch was given.
  public let miniBatches: MiniBatches?

  private enum CodingKeys: String, CodingKey {
    case schema, problem, curvature, learningRate, directions, prediction, findings, prescriptions
    case layers, advice, request, stage, first, miniBatches
  }

  public init(
    problem: Problem, curvature: Curvature, learningRate: LearningRate,
    directions: [EigenDirection], prediction: Prediction, findings: [Finding],
    prescriptions: [Prescription], layers: [LayerCurvature] = [],
    miniBatches: MiniBatches? = nil, request: DiagnosisRequest? = nil, isOfCaller: Bool = false
  ) {
    let findings = isOfCaller ? findings.map(\.inCall) : findings
    self.request = request
    self.miniBatches = miniBatches
    schema = Self.currentSchema
    self.problem = problem
    self.curvature = curvature
    self.learningRate = learningRate
    self.directions = directions
    self.prediction = prediction
    self.findings = findings
    self.prescriptions = prescriptions
    self.layers = layers
    advice = Advice(
      AdviceFacts(
        problem: problem, curvature: curvature, learningRate: learningRate,
        prediction: prediction, findings: findings, prescriptions: prescriptions,
        miniBatches: miniBatches, request: request, isOfCaller: isOfCaller))
  }

  /// Reports of earlier versions, which hold no advice, get theirs here.
  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    schema = try container.decode(String.self, forKey: .schema)
    problem = try container.decode(Problem.self, forKey: .problem)
    curvature = try container.decode(Curvature.self, forKey: .curvature)
    learningRate = try container.decode(LearningRate.self, forKey: .learningRate)
    directions = try container.decode([EigenDirection].self, forKey: .directions)
    prediction = try container.decode(Prediction.self, forKey: .prediction)
    findings = try container.decode([Finding].self, forKey: .findings)
    prescriptions = try container.decode([Prescription].self, forKey: .prescriptions)
    layers = try container.decode([LayerCurvature].self, forKey: .layers)
    request = try container.decodeIfPresent(DiagnosisRequest.self, forKey: .request)
    stage = try container.decodeIfPresent(Stage.self, forKey: .stage)
    first = try container.decodeIfPresent(FirstAnswer.self, forKey: .first)
    miniBatches = try container.decodeIfPresent(MiniBatches.self, forKey: .miniBatches)
    advice =
      try container.decodeIfPresent(Advice.self, forKey: .advice)
      ?? Advice(
        AdviceFacts(
          problem: problem, curvature: curvature, learningRate: learningRate,
          prediction: prediction, findings: findings, prescriptions: prescriptions,
          miniBatches: miniBatches, request: request))
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(schema, forKey: .schema)
    try container.encode(problem, forKey: .problem)
    try container.encode(curvature, forKey: .curvature)
    try container.encode(learningRate, forKey: .learningRate)
    try container.encode(directions, forKey: .directions)
    try container.encode(prediction, forKey: .prediction)
    try container.encode(findings, forKey: .findings)
    try container.encode(prescriptions, forKey: .prescriptions)
    try container.encode(layers, forKey: .layers)
    try container.encode(advice, forKey: .advice)
    try container.encodeIfPresent(request, forKey: .request)
    try container.encodeIfPresent(stage, forKey: .stage)
    try container.encodeIfPresent(first, forKey: .first)
    if let miniBatches { try container.encode(miniBatches, forKey: .miniBatches) }
  }

  /// The report as JSON: keys in the documented order, `null` for missing values.
  public func json(indented: Bool = true) throws -> String {
    try OrderedJSON.string(self, indented: indented)
  }
}

extension DiagnosisReport {
  /// What was diagnosed, and where on its loss.
  public struct Problem: Sendable, Equatable, Codable {
    public var parameters: Int
    public var samples: Int
    /// Columns of a table that enter the model, after one-hot encoding and without the bias.
    public var features: Int?
    /// The loss at the point of diagnosis; nil where it is not finite.
    public var loss: Double?
    /// The Euclidean norm of the gradient there.
    public var gradientNorm: Double?
    public var seed: Int
    public var precision: String
    public var executor: String
    public var name: String?
    public var model: String?
    /// Which loss: `half-squared-error`, `mse`, `cross-entropy`.
    public var lossName: String?
    public var target: String?
    public var optimizer: String?
    /// Steps taken before the diagnosis.
    public var at: Int
    /// The penalty `c` of `c/2 ||w||^2`.
    public var l2: Double
    /// What was noticed on the way, in sentences.
    public var notes: [String]
    /// The file of data that goes with a model file.
    public var data: String?
    /// Layers with parameters; nil for a table's model.
    public var layers: Int?
    /// Whether the loss is a quadratic in the parameters; nil where it was not said, and the names of
    /// model and loss tell.
    public var isQuadratic: Bool?
    /// What was decided for the user, who might have decided otherwise; nil in reports of earlier
    /// versions.
    public var readings: [Reading]?

    public init(
      parameters: Int, samples: Int, features: Int?, loss: Double?, gradientNorm: Double?,
      seed: Int, precision: String, executor: String, name: String? = nil, model: String? = nil,
      lossName: String? = nil, target: String? = nil, optimizer: String? = nil, at: Int = 0,
      l2: Double = 0, notes: [String] = [], data: String? = nil, layers: Int? = nil,
      isQuadratic: Bool? = nil, readings: [Reading]? = nil
    ) {
      self.parameters = parameters
      self.samples = samples
      self.features = features
      self.loss = loss
      self.gradientNorm = gradientNorm
      self.seed = seed
      self.precision = precision
      self.executor = executor
      self.name = name
      self.model = model
      self.lossName = lossName
      self.target = target
      self.optimizer = optimizer
      self.at = at
      self.l2 = l2
      self.notes = notes
      self.data = data
      self.layers = layers
      self.isQuadratic = isQuadratic
      self.readings = readings
    }
  }

  /// An eigenvalue and the norm of its residual `||H v - lambda v||`.
  public struct Eigenvalue: Sendable, Equatable, Codable {
    public var value: Double?
    public var residual: Double?

    public init(value: Double?, residual: Double?) {
      self.value = value
      self.residual = residual
    }
  }

  /// The largest eigenvalue with a bound it does not exceed, but for the failure probability.
  public struct BoundedEigenvalue: Sendable, Equatable, Codable {
    public var value: Double?
    public var residual: Double?
    public var upperBound: Double?
    /// Zero for a dense solve.
    public var failureProbability: Double?

    public init(
      value: Double?, residual: Double?, upperBound: Double?, failureProbability: Double?
    ) {
      self.value = value
      self.residual = residual
      self.upperBound = upperBound
      self.failureProbability = failureProbability
    }
  }

  /// The curvature of the loss at the point of diagnosis.
  public struct Curvature: Sendable, Equatable, Codable {
    public var largest: BoundedEigenvalue
    /// The most negative eigenvalue, or the smallest.
    public var smallest: Eigenvalue
    /// The smallest eigenvalue above the zero threshold; nil where no dense solve was affordable.
    public var smallestPositive: Eigenvalue?
    public var effectiveSmallest: Double?
    /// Nil for an indefinite or singular Hessian.
    public var conditionNumber: Double?
    public var effectiveConditionNumber: Double?
    /// Nil for a loss without a model output.
    public var gaussNewtonConditionNumber: Double?
    public var indefinite: Bool
    /// Hessian products spent.
    public var operatorApplications: Int
    /// Eigenvalues within this of zero count as zero.
    public var zeroThreshold: Double?
    /// The condition number in a word; nil without one.
    public var severity: Conditioning?
    /// What the largest eigenvalue would be on a larger sample; nil where it was not measured.
    public var largestOnLargerSample: SamplingError?
    /// The largest eigenvalue over all samples, where only some of them were diagnosed.
    public var largestOnAllSamples: SharpnessOnAllSamples?
    /// The arithmetic that solved the spectrum; nil in reports of earlier versions.
    public var precision: String?
    /// What rounding leaves open of the condition number; nil where it is known.
    public var conditionNumberOpen: OpenConditionNumber?

    public init(
      largest: BoundedEigenvalue, smallest: Eigenvalue, smallestPositive: Eigenvalue? = nil,
      effectiveSmallest: Double? = nil, conditionNumber: Double? = nil,
      effectiveConditionNumber: Double? = nil, gaussNewtonConditionNumber: Double? = nil,
      indefinite: Bool, operatorApplications: Int, zeroThreshold: Double? = nil,
      severity: Conditioning? = nil, largestOnLargerSample: SamplingError? = nil,
      largestOnAllSamples: SharpnessOnAllSamples? = nil, precision: String? = nil,
      conditionNumberOpen: OpenConditionNumber? = nil
    ) {
      self.precision = precision
      self.conditionNumberOpen = conditionNumberOpen
      self.largest = largest
      self.smallest = smallest
      self.smallestPositive = smallestPositive
      self.effectiveSmallest = effectiveSmallest
      self.conditionNumber = conditionNumber
      self.effectiveConditionNumber = effectiveConditionNumber
      self.gaussNewtonConditionNumber = gaussNewtonConditionNumber
      self.indefinite = indefinite
      self.operatorApplications = operatorApplications
      self.zeroThreshold = zeroThreshold
      self.severity = severity
      self.largestOnLargerSample = largestOnLargerSample
      self.largestOnAllSamples = largestOnAllSamples
    }
  }

  /// What the curvature says about the learning rate.
  public struct LearningRate: Sendable, Equatable, Codable {
    public var stabilityLimit: Double?
    public var minimax: Double?
    public var contraction: Double?
    public var given: Double?
    public var givenTimesSharpness: Double?
    /// By the limit here and, where the rate was run, by what the run did.
    public var verdict: Verdict?
    /// Why the limit is missing, where it is.
    public var note: String?
    /// Whose limit it is, in words; nil in reports of earlier versions.
    public var optimizer: String?
    /// The verdict of the limit at this point alone.
    public var verdictHere: Verdict?
    /// What `verdict` rests on; nil without one.
    public var restsOn: VerdictBasis?
    /// What a run at the given rate did; nil where it was not run.
    public var run: RateRun?

    /// - Parameters:
    ///   - isLimitGlobal: whether the loss is a quadratic, of which the limit holds everywhere.
    ///   - miniBatches: what the batches that are trained on change.
    public init(
      _ facts: LearningRateFacts, note: String? = nil, optimizer: String? = nil,
      run: RateRun? = nil, isLimitGlobal: Bool = false, miniBatches: MiniBatches? = nil
    ) {
      self.optimizer = optimizer
      self.run = run
      verdictHere = facts.verdict
      stabilityLimit = facts.stabilityLimit
      minimax = facts.minimax
      contraction = facts.contraction
      given = facts.given
      givenTimesSharpness = facts.givenTimesSharpness
      verdict = facts.verdict?.after(run, isLimitGlobal: isLimitGlobal).with(miniBatches)
      restsOn = verdict.map { _ in
        isLimitGlobal ? .limitEverywhere : run == nil ? .limitHere : .limitHereAndRun
      }
      self.note = note
    }
  }

  /// How many steps of the given rate (or, without one, of the safe rate) the tolerance takes.
  public struct Prediction: Sendable, Equatable, Codable {
    public var rate: Double?
    public var iterations: Int?
    public var tolerance: Double
    public var momentum: Double?
    /// The predicted relative loss gap after 1, 10, 100, ... steps.
    public var curve: [CurvePoint]

    public init(
      rate: Double?, iterations: Int?, tolerance: Double, momentum: Double? = nil,
      curve: [CurvePoint] = []
    ) {
      self.rate = rate
      self.iterations = iterations
      self.tolerance = tolerance
      self.momentum = momentum
      self.curve = curve
    }
  }

  /// A point of the predicted loss curve.
  public struct CurvePoint: Sendable, Equatable, Codable {
    public var step: Int
    public var relativeGap: Double

    public init(step: Int, relativeGap: Double) {
      self.step = step
      self.relativeGap = relativeGap
    }
  }
}
