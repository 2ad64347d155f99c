import Diagnosis
import Problems
import Reports
let words = CommandLine.arguments  // TABLE.csv COLUMN, or MODEL.onnx DATA.npz LOSS
var request = DiagnosisRequest(file: words[1], target: words[2])
if case .model(var model) = request.problem {
  (model.target, model.data, model.loss) = ("target", words[2], words[3])
  request.problem = .model(model)
}
print(try diagnose(request).terminalText(.init(colours: false)), terminator: "")
