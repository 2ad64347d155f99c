#!/usr/bin/env python3
"""Builds and runs the examples of README.md and docs/, and compares what they print.

Every ```swift and ```console block of README.md is checked; of docs/**/*.md those that follow a
line `<!-- checked -->`. After `<!-- unchecked -->` a block is left alone.

```console   lines beginning with `$ ` are commands (bash, in the repository root, with the built
             program first on the PATH); the lines after each are what it prints, on either stream.
```swift     is a whole program; the ```text block right after it, if any, is what it prints.
```python    too, against the package in python/src and the built library (or that of EIGENSTEP_LIBRARY), by
             EIGENSTEP_PYTHON or this interpreter. One that imports what is not installed there is listed as
             skipped. In README.md too these are checked only after `<!-- checked -->`.

Arguments are the files to check; by default README.md and all of docs.

In expected output `...` stands for any text within a line, and a line `...` for any lines.
In README.md, options in `code` within the text must be of the command that the code names, or of any.
The package must have been built: `make build`. Needs only the standard library.
"""

import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = ROOT / ".build" / os.environ.get("CONFIGURATION", "release")
FENCE = re.compile(r"^```(\w*)\s*$")


def blocks(path):
    """Yields (line, language, text, comment) for each fenced block of a file."""
    language, start, body, comment = None, 0, [], ""
    for number, line in enumerate(path.read_text().splitlines(), 1):
        fence = FENCE.match(line)
        if language is None:
            if fence:
                language, start, body = fence.group(1) or "none", number, []
            elif line.strip():
                comment = line.strip()
        elif fence:
            yield start, language, "\n".join(body), comment
            language, comment = None, ""
        else:
            body.append(line)


def matches(expected, printed):
    lines = [line.rstrip() for line in expected.strip("\n").split("\n")]
    pattern = ""
    for line in lines:
        if line.strip() == "...":
            pattern += r"(?:[^\n]*\n)*"
        else:
            pattern += r"[^\n]*".join(re.escape(part) for part in line.split("...")) + "\n"
    text = "\n".join(line.rstrip() for line in printed.strip("\n").split("\n")) + "\n"
    return re.fullmatch(pattern, text) is not None


def report(place, expected, printed):
    print(f"{place}: not what is printed\n--- written\n{expected}\n--- printed\n{printed}")
    return False


def check_console(place, text):
    environment = dict(os.environ, PATH=f"{BUILD}{os.pathsep}{os.environ['PATH']}", NO_COLOR="1")
    commands = []
    for line in text.splitlines():
        if line.startswith("$ "):
            commands.append([line[2:], []])
        elif commands and commands[-1][0].endswith("\\"):
            commands[-1][0] += "\n" + line
        elif commands:
            commands[-1][1].append(line)
    good = bool(commands) or report(place, text, "no line begins with `$ `")
    for command, lines in commands:
        if command.startswith(("make ", "git clone", "cd ")) and not lines:
            continue  # instructions to set up, which the makefile itself is the test of
        run = subprocess.run(
            ["bash", "-c", command], cwd=ROOT, env=environment, text=True, timeout=300,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )
        # What a long run says every ten seconds is no part of its answer.
        printed = re.sub(r"(?m)^eigenstep: .*, after \d+ s\n", "", run.stdout)
        if lines and not matches("\n".join(lines), printed):
            good = report(f"{place}: {command}", "\n".join(lines), printed)
        elif not lines and run.returncode != 0:
            good = report(f"{place}: {command}", "", run.stdout)
    return good


def package_objects():
    """Object files of the package's library targets and of the libraries they use."""
    skip = re.compile(r"(Tests|PackageTests|^eigenstep|-tool|protoc|SwiftProtobufPlugin)")
    for folder in sorted(BUILD.glob("*.build")):
        if skip.search(folder.name[: -len(".build")]):
            continue
        listed = folder / "output-file-map.json"
        if listed.exists():
            # An object whose source is gone stays in the folder, but not in this list.
            files = json.loads(listed.read_text()).values()
            objects = {file["object"] for file in files if "object" in file}
            yield from sorted(path for path in objects if os.path.exists(path))
        else:
            yield from sorted(str(path) for path in folder.rglob("*.o"))


def check_swift(place, text, expected):
    with tempfile.TemporaryDirectory() as scratch:
        source = pathlib.Path(scratch) / "main.swift"
        source.write_text(text)
        program = pathlib.Path(scratch) / "example"
        command = ["swiftc", "-swift-version", "6", "-O", str(source), "-o", str(program)]
        command += ["-I", str(BUILD / "Modules"), "-I", str(BUILD)]
        for header in sorted((ROOT / "Sources").glob("C*/include")):
            target = header.parent.name
            for modulemap in (header / "module.modulemap", BUILD / f"{target}.build/module.modulemap"):
                if modulemap.exists():
                    command += ["-Xcc", f"-fmodule-map-file={modulemap}", "-Xcc", f"-I{header}"]
                    break
        command += package_objects()
        if sys.platform != "darwin":
            command += ["-llapacke", "-lopenblas", "-lz"]
        build = subprocess.run(command, text=True, capture_output=True)
        if build.returncode != 0:
            return report(place, text, build.stderr[-4000:])
        run = subprocess.run(
            [str(program)], cwd=ROOT, text=True, capture_output=True, timeout=300
        )
        if run.returncode != 0:
            return report(place, text, f"exit status {run.returncode}\n{run.stdout}{run.stderr}")
        if expected is not None and not matches(expected, run.stdout):
            return report(place, expected, run.stdout)
        return True


def check_python(place, text, expected):
    """True, False, or None where something that the program imports is not installed."""
    python = os.environ.get("EIGENSTEP_PYTHON", sys.executable)
    source = os.pathsep.join(filter(None, [str(ROOT / "python/src"), os.environ.get("PYTHONPATH")]))
    environment = {
        "EIGENSTEP_LIBRARY": str(BUILD / "libEigenstepC.so"), "OMP_NUM_THREADS": "1",
        **os.environ, "PYTHONPATH": source, "COLUMNS": "80",
    }
    runtime = ROOT / ".eigenstep/onnxruntime/libonnxruntime.so"
    if runtime.exists():
        environment.setdefault("ORT_DYLIB_PATH", str(runtime))
    needed = sorted(set(re.findall(r"(?m)^(?:import|from) (\w+)", text)))
    finds = f"import importlib.util as u; print(*[n for n in {needed} if u.find_spec(n) is None])"
    missing = subprocess.run(
        [python, "-c", finds], env=environment, text=True, capture_output=True).stdout.split()
    if missing:
        print(f"{place}: skipped, since {python} has no {', '.join(missing)}")
        return None
    run = subprocess.run(
        [python, "-"], input=text, cwd=ROOT, env=environment, text=True, capture_output=True, timeout=300)
    if run.returncode != 0:
        return report(place, text, f"exit status {run.returncode}\n{run.stdout}{run.stderr}")
    if expected is not None and not matches(expected, run.stdout):
        return report(place, expected, run.stdout)
    return True


def helps():
    """The options of each command, as its help lists them."""
    program = str(BUILD / "eigenstep")
    listed = subprocess.run([program, "--help"], text=True, capture_output=True).stdout
    # Commands are the words at the beginnings of the lines below "SUBCOMMANDS:".
    names = re.findall(r"(?m)^  ([a-z]+) ", listed.split("SUBCOMMANDS:")[-1])
    return {
        name: set(re.findall(
            r"--[a-z][a-z0-9-]*",
            subprocess.run([program, name, "--help"], text=True, capture_output=True).stdout))
        for name in names
    }


def check_flags(path):
    """Whether all options in the code within a file's text are there."""
    known, fenced, good = helps(), False, True
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if FENCE.match(line):
            fenced = not fenced
        for code in [] if fenced else re.findall(r"`([^`]+)`", line):
            words = code.split()
            if words[0] == "eigenstep" and len(words) > 1 and words[1] in known:
                options = known[words[1]]
            elif words[0].startswith("--"):
                options = set().union(*known.values())
            else:
                continue
            for flag in re.findall(r"(?<!\S)--[a-z][a-z0-9-]*", code):
                if flag not in options:
                    good = report(f"{path.relative_to(ROOT)}:{number}", code, f"no option {flag}")
    return good


def main():
    passed = failed = skipped = 0
    named = [pathlib.Path(name).resolve() for name in sys.argv[1:]]
    files = named or [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    for path in filter(pathlib.Path.exists, files):
        found = list(blocks(path))
        for index, (line, language, text, comment) in enumerate(found):
            wanted = comment == "<!-- checked -->" or (
                language != "python" and path.name == "README.md" and path.parent == ROOT)
            if language not in ("swift", "console", "python") or not wanted or comment == "<!-- unchecked -->":
                continue
            place = f"{path.relative_to(ROOT)}:{line}"
            following = found[index + 1] if index + 1 < len(found) else None
            expected = following[2] if following and following[1] == "text" else None
            if language == "console":
                good = check_console(place, text)
            else:
                good = (check_swift if language == "swift" else check_python)(place, text, expected)
            if good is None:
                skipped += 1
                continue
            passed, failed = passed + good, failed + (not good)
    if not named:
        good = check_flags(ROOT / "README.md")
        passed, failed = passed + good, failed + (not good)
    print(f"examples of README.md and docs: {passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
