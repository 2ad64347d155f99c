// OnnxBackend
