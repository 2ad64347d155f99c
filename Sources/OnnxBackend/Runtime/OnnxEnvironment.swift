import COnnxRuntime

/// ONNX Runtime's environment with the thread pool that all sessions share, and its CPU memory.
// Unchecked: the handles are set once, and ONNX Runtime allows their use from any thread.
final class OnnxEnvironment: @unchecked Sendable {
  let library: OnnxRuntimeLibrary
  let handle: OpaquePointer
  let cpuMemory: OpaquePointer
  let allocator: OpaquePointer

  init(library: OnnxRuntimeLibrary, threads: Int, spinning: Bool) throws {
    let table = library.table
    var options: OpaquePointer?
    try library.check(
      ort_create_threading_options(table, &options), "creating threading options")
    defer { ort_release_threading_options(table, options) }
    try library.check(
      ort_set_global_intra_op_threads(table, options, Int32(clamping: threads)),
      "setting the threads")
    try library.check(
      ort_set_global_spin_control(table, options, spinning ? 1 : 0), "setting the spinning")
    var handle: OpaquePointer?
    // Errors come back as statuses; printing them too would only repeat them.
    try library.check(
      ort_create_env_with_global_threads(
        table, Int32(ort_log_fatal), "eigenstep", options, &handle),
      "creating the environment")
    var memory: OpaquePointer?
    try library.check(
      ort_create_cpu_memory_info(
        table, Int32(ort_allocator_device), Int32(ort_memory_default), &memory),
      "describing CPU memory")
    var allocator: OpaquePointer?
    try library.check(ort_default_allocator(table, &allocator), "getting the allocator")
    self.library = library
    self.handle = handle!
    self.cpuMemory = memory!
    self.allocator = allocator!
  }

  deinit {
    ort_release_memory_info(library.table, cpuMemory)
    ort_release_env(library.table, handle)
  }
}
