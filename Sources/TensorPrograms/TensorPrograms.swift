// TensorPrograms
