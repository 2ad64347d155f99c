import TensorPrograms

extension OperatorCatalogue {
  private static let ml = "ai.onnx.ml"

  /// What exporters of classical learners make of their pipelines.
  ///
  /// Reference: onnx/docs/Operators-ml.md; where it is silent, ONNX Runtime.
  static let classical: [OperatorRule] =
    ["LinearClassifier", "LinearRegressor"].map { name in
      OperatorRule(name, domain: ml, isFolded: false) { node in
        // In the main graph these are ordinary nodes already: this is one of a body or a function.
        let expansion = try LinearModelNode(node.node, unused: { $0 })
        var constants: [String: Tensor] = [:]
        for tensor in expansion.tensors {
          constants[tensor.name] = try node.importer.reader.tensor(tensor, named: tensor.name)
        }
        let scope = Scope(builder: node.builder, constants: constants, parent: node.scope)
        let x = try node.input(0)
        let real = try node.element(Int(OnnxElement.float32.rawValue))
        scope[node.node.input[0]] = x.element.isFloating ? x : x.converted(to: real)
        try node.importer.run(expansion.nodes, in: scope, operatorSets: ["": 13])
        return node.node.output.compactMap { $0.isEmpty ? node.builder.full(0, x.type) : scope[$0] }
      }
    } + [
      OperatorRule("Scaler", domain: ml) { node in
        let x = try node.real(0)
        let (offset, scale) = (node.floats("offset") ?? [], node.floats("scale") ?? [])
        let moved = try offset.isEmpty ? x : x - node.features(offset, of: x, "offsets")
        return [try scale.isEmpty ? moved : moved * node.features(scale, of: x, "scales")]
      },
      OperatorRule("Normalizer", domain: ml) { node in
        let x = try node.real(0)
        guard x.rank > 0 else { throw node.fail("it takes rows, not a single number") }
        let axis = x.rank - 1
        func divided(_ size: Traced) -> Traced {
          // A row of zeros stays.
          let isZero = size.compare(.equal, size.scalar(0))
          return x / isZero.select(size.zeros() + 1, size).broadcast(to: x.shape)
        }
        switch node.string("norm", "MAX") {
        case "L1": return [divided(x.abs().sum([axis], keepingAxes: true))]
        case "L2":
          let square = x.square().sum([axis], keepingAxes: true)
          let isZero = square.compare(.equal, square.scalar(0))
          return [x / isZero.select(square.zeros() + 1, square).sqrt().broadcast(to: x.shape)]
        case "MAX": return [divided(x.max([axis], keepingAxes: true))]
        case let other: throw node.fail("there is no norm '\(other)'")
        }
      },
      OperatorRule("ZipMap", domain: ml) { [try $0.input(0)] },
      OperatorRule("ArrayFeatureExtractor", domain: ml, constants: [1]) { node in
        let (x, places) = (try node.input(0), try node.input(1))
        guard x.rank > 0 else { throw node.fail("it takes rows, not a single number") }
        let rows = x.rank == 1 ? x.expanded(at: 0) : x
        let known = node.builder.constantValue(of: places)?.doubles ?? []
        guard known.allSatisfy({ $0 >= 0 && $0 < Double(rows.shape[rows.rank - 1]) }) else {
          throw node.fail("a place is outside the last axis of \(x.shape)")
        }
        return [rows.gather(places.reshaped([places.shape.count]), axis: rows.rank - 1)]
      },
      OperatorRule("Imputer", domain: ml) { node in
        let x = try node.input(0)
        let isReal = x.element.isFloating
        let news =
          isReal ? node.floats("imputed_value_floats") : node.doubles("imputed_value_int64s")
        let missing =
          isReal
          ? node.float("replaced_value_float", 0) : Double(node.int("replaced_value_int64", 0))
        let isMissing =
          missing.isNaN ? x.compare(.notEqual, x) : x.compare(.equal, x.scalar(missing))
        guard let news, !news.isEmpty else { throw node.fail("it has no values to put in") }
        let values = try node.features(news, of: x, "values").broadcast(to: x.shape)
        return [isMissing.select(values, x)]
      },
      OperatorRule("FeatureVectorizer", domain: ml) { node in
        let columns = try node.values.indices.map { index -> Traced in
          let x = try node.real(index)
          return x.rank == 1 ? x.expanded(at: 1) : x
        }
        guard let first = columns.first, first.rank == 2 else {
          throw node.fail("it takes columns or matrices")
        }
        return [Traced.concatenate(columns, axis: 1)]
      },
      OperatorRule("Binarizer", domain: ml, constants: OperatorRule.everyInput) { node in
        let x = try node.input(0)
        return [
          x.compare(.greater, x.scalar(node.float("threshold", 0))).converted(to: x.element)
        ]
      },
      OperatorRule("OneHotEncoder", domain: ml, constants: OperatorRule.everyInput) { node in
        let x = try node.input(0)
        guard let categories = node.doubles("cats_int64s"), !categories.isEmpty else {
          throw node.fail("its categories are texts, which cannot be computed with")
        }
        let shape = try node.shape(x.shape.dimensions + [categories.count])
        let wide = x.broadcast(to: shape, axes: Array(0..<x.rank))
        let all = node.builder.constant(
          Tensor(categories, type: TensorType(x.element, [categories.count])))
        let real = try node.element(Int(OnnxElement.float32.rawValue))
        return [wide.compare(.equal, all.broadcast(to: shape)).converted(to: real)]
      },
      OperatorRule("LabelEncoder", domain: ml, constants: OperatorRule.everyInput) { node in
        let x = try node.input(0)
        guard
          let keys = try node.floats("keys_floats") ?? node.doubles("keys_int64s")
            ?? node.tensor("keys_tensor")?.doubles
        else { throw node.fail("its keys are texts, which cannot be computed with") }
        let real = try node.element(Int(OnnxElement.float32.rawValue))
        let values: (numbers: [Double], element: ElementType, fallback: Double)
        if let numbers = node.floats("values_floats") {
          values = (numbers, real, node.float("default_float", -0.0))
        } else if let numbers = node.doubles("values_int64s") {
          values = (numbers, .int64, Double(node.int("default_int64", -1)))
        } else if let tensor = try node.tensor("values_tensor") {
          let fallback = try node.tensor("default_tensor")?.doubles.first
          values = (
            tensor.doubles, tensor.element, fallback ?? (tensor.element.isFloating ? 0 : -1)
          )
        } else {
          throw node.fail("its values are texts, which cannot be computed with")
        }
        guard keys.count == values.numbers.count else {
          throw node.fail("it has \(keys.count) keys for \(values.numbers.count) values")
        }
        let type = TensorType(values.element, x.shape)
        var result = node.builder.full(values.fallback, type)
        // The first of equal keys counts.
        for (key, value) in zip(keys, values.numbers).reversed() {
          let isKey = key.isNaN ? x.compare(.notEqual, x) : x.compare(.equal, x.scalar(key))
          result = isKey.select(node.builder.full(value, type), result)
        }
        return [result]
      },
    ]
}

extension NodeContext {
  /// An input as floating-point numbers.
  fileprivate func real(_ index: Int) throws -> Traced {
    let x = try input(index)
    return try x.element.isFloating
      ? x : x.converted(to: element(Int(OnnxElement.float32.rawValue)))
  }

  fileprivate func doubles(_ name: String) -> [Double]? { ints(name)?.map(Double.init) }

  /// One number for all features, or one for each.
  fileprivate func features(_ values: [Double], of x: Traced, _ what: String) throws -> Traced {
    guard values.count == 1 || values.count == x.shape.dimensions.last else {
      throw fail("it has \(values.count) \(what) for rows of shape \(x.shape)")
    }
    if values.count == 1 { return x.scalar(values[0]) }
    return builder.constant(Tensor(values, type: TensorType(x.element, [values.count])))
  }
}
