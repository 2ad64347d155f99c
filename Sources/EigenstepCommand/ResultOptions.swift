import ArgumentParser

/// Where the result of a command goes beside the text.
struct ResultOptions: ParsableArguments {
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Write the result as JSON to a file, or - for standard output alone.", valueName: "path"))
  var json: String?
}
