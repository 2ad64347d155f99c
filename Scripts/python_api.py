#!/usr/bin/env python3
"""Writes docs/python-api.md from the docstrings of the Python package.

    python3 Scripts/python_api.py           writes the page
    python3 Scripts/python_api.py --check   exit status 1 where the page is not what the package says

The package is read, not imported, so that neither PyTorch nor JAX need be there; but for functions whose
options are written into their docstrings as they are imported, which takes NumPy. What a module lists in
`__all__` is public, or, without a list, classes with a public name; what those functions give back is described
after them. Needs Python 3.10 or newer.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import pathlib
import re
import sys
import textwrap

ROOT = pathlib.Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "python/src/eigenstep"
PAGE = ROOT / "docs/python-api.md"
FIRST = ["__init__", "torch", "jax"]
SECTIONS = ("Parameters", "Attributes", "Returns", "Raises", "Yields")
WIDTH = 100

Definition = ast.FunctionDef | ast.ClassDef


class Package:
    """The modules of a folder, and where each name of theirs is defined."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.modules = {path.stem: ast.parse(path.read_text()) for path in sorted(folder.glob("*.py"))}

    def public(self) -> list[str]:
        """The modules to describe: those that list what is public."""
        named = [n for n in self.modules if not n.startswith("_") or n == "__init__"]
        return [n for n in FIRST if n in named] + [n for n in named if n not in FIRST]

    def exports(self, module: str) -> list[str]:
        """What `__all__` lists; where there is none, the classes that have a public name."""
        for statement in self.modules[module].body:
            if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == "__all__":
                return [ast.literal_eval(element) for element in statement.value.elts]
        return [
            statement.name for statement in self.modules[module].body
            if isinstance(statement, ast.ClassDef) and not statement.name.startswith("_")
        ]

    def definition(self, module: str, name: str) -> tuple[str, Definition] | None:
        """Where a name is defined that a module has of its own or from another."""
        for statement in self.modules[module].body:
            if isinstance(statement, (ast.FunctionDef, ast.ClassDef)) and statement.name == name:
                return module, statement
            if isinstance(statement, ast.ImportFrom) and statement.level == 1:
                for alias in statement.names:
                    if (alias.asname or alias.name) == name and statement.module in self.modules:
                        return self.definition(statement.module, alias.name)
        return None

    def anywhere(self, name: str) -> tuple[str, Definition] | None:
        """Where a name is defined that is loaded on demand, or that only an annotation has."""
        found = [
            (module, statement)
            for module, tree in self.modules.items()
            for statement in tree.body
            if isinstance(statement, (ast.FunctionDef, ast.ClassDef)) and statement.name == name
        ]
        return found[0] if len(found) == 1 else None


def signature(name: str, function: ast.FunctionDef, drops_first: bool) -> str:
    """As it is called, with annotations; a parameter a line where it is long."""
    arguments = function.args
    parts: list[str] = []
    positional = [*arguments.posonlyargs, *arguments.args]
    defaults = [None] * (len(positional) - len(arguments.defaults)) + list(arguments.defaults)
    for argument, default in list(zip(positional, defaults))[1 if drops_first else 0 :]:
        parts.append(parameter(argument, default))
        if argument in arguments.posonlyargs[-1:]:
            parts.append("/")
    if arguments.vararg:
        parts.append("*" + parameter(arguments.vararg, None))
    elif arguments.kwonlyargs:
        parts.append("*")
    parts += [parameter(a, d) for a, d in zip(arguments.kwonlyargs, arguments.kw_defaults)]
    if arguments.kwarg:
        parts.append("**" + parameter(arguments.kwarg, None))
    result = f" -> {ast.unparse(function.returns)}" if function.returns else ""
    line = f"{name}({', '.join(parts)}){result}"
    if len(line) <= WIDTH:
        return line
    return f"{name}(\n" + "".join(f"    {part},\n" for part in parts) + f"){result}"


def parameter(argument: ast.arg, default: ast.expr | None) -> str:
    text = argument.arg
    if argument.annotation:
        text += f": {ast.unparse(argument.annotation)}"
    if default is not None:
        text += f" = {ast.unparse(default)}" if argument.annotation else f"={ast.unparse(default)}"
    return text


def described(node: ast.AST) -> str:
    """A docstring in NumPy style as Markdown."""
    # A module's stands at the margin already, and what is indented in it is code.
    return markdown((ast.get_docstring(node, clean=not isinstance(node, ast.Module)) or "").strip())


def completed(module: str, function: ast.FunctionDef) -> str:
    """The docstring of a function whose options are written into it when the package is imported."""
    sys.path.insert(0, str(PACKAGE.parent))
    try:
        found = getattr(importlib.import_module(f"eigenstep.{module}"), function.name)
    finally:
        sys.path.pop(0)
    return markdown(inspect.getdoc(found) or "")


def markdown(text: str) -> str:
    pieces: list[str] = []
    section, body = "", []
    lines = text.split("\n")
    at = 0
    while at <= len(lines):
        ends = at == len(lines)
        starts = not ends and at + 1 < len(lines) and lines[at] in SECTIONS and set(lines[at + 1]) == {"-"}
        if ends or starts:
            pieces.append(listed(section, body) if section else prose("\n".join(body)))
            if ends:
                break
            section, body, at = lines[at], [], at + 2
            continue
        body.append(lines[at])
        at += 1
    return "\n\n".join(piece for piece in pieces if piece)


def listed(section: str, lines: list[str]) -> str:
    """The entries of a section: what stands at the margin is a name, what is indented tells of it."""
    entries: list[tuple[str, list[str]]] = []
    for line in lines:
        if line and not line.startswith(" "):
            entries.append((line, []))
        elif entries:
            entries[-1][1].append(line.strip())
    written = []
    for names, told in entries:
        marked = ", ".join(f"`{name.strip()}`" for name in names.split(","))
        words = prose(" ".join(word for word in told if word))
        written.append(filled(f"- {marked}: {words}" if words else f"- {marked}", "  "))
    return f"*{section}*\n\n" + "\n".join(written)


def prose(text: str) -> str:
    paragraphs = []
    for paragraph in re.split(r"\n[ \t]*\n", text.strip("\n")):
        if paragraph.startswith("    "):
            paragraphs.append(paragraph)
        else:
            paragraphs.append(filled(" ".join(paragraph.split()).replace("``", "`"), ""))
    return "\n\n".join(paragraphs)


def filled(text: str, indent: str) -> str:
    return textwrap.fill(
        text, 120, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def entry(title: str, module: str, node: Definition) -> list[str]:
    """A function, or a class with its fields, its constructor and its methods."""
    parts = [f"### {title}"]
    if isinstance(node, ast.FunctionDef):
        options = node.args.kwarg
        is_open = options is not None and ast.unparse(options.annotation or ast.Name("")).startswith("Unpack")
        told = completed(module, node) if is_open else described(node)
        return parts + [f"```python\n{signature(title.split('.')[-1], node, False)}\n```", told]
    made = next((m for m in node.body if isinstance(m, ast.FunctionDef) and m.name == "__init__"), None)
    is_dataclass = any("dataclass" in ast.unparse(decorator) for decorator in node.decorator_list)
    if made is not None:
        parts.append(f"```python\n{signature(node.name, made, True)}\n```")
    elif node.bases:
        parts.append(f"A kind of {', '.join(f'`{ast.unparse(base)}`' for base in node.bases)}.")
    parts.append(described(node))
    fields = [
        f"{m.target.id}: {ast.unparse(m.annotation)}" for m in node.body
        if isinstance(m, ast.AnnAssign) and isinstance(m.target, ast.Name) and not m.target.id.startswith("_")
    ]
    if is_dataclass and fields:
        parts.append("```python\n" + "\n".join(fields) + "\n```")
    for method in node.body:
        if not isinstance(method, ast.FunctionDef) or method.name.startswith("_"):
            continue
        is_property = any(ast.unparse(d) in ("property", "cached_property", "functools.cached_property")
                          for d in method.decorator_list)
        told = described(method)
        if is_property:
            kind = f": `{ast.unparse(method.returns)}`" if method.returns else ""
            parts.append(filled(f"`.{method.name}`{kind}. {told}" if told else f"`.{method.name}`{kind}.", ""))
        else:
            parts.append(f"```python\n.{signature(method.name, method, True)}\n```")
            parts.append(told)
    return parts


def page(package: Package) -> str:
    parts = [
        "# The Python package",
        "Written by `Scripts/python_api.py` from the docstrings; [docs/python.md](python.md) is where to begin.",
    ]
    written: set[str] = set()
    wanted: list[str] = []
    for module in package.public():
        title = "eigenstep" if module == "__init__" else f"eigenstep.{module}"
        names = [
            name for name in package.exports(module)
            if not name.startswith("__") and name not in package.modules
        ]
        found = [(name, package.definition(module, name) or package.anywhere(name)) for name in names]
        entries = [
            (name, *place) for name, place in found
            if place is not None and f"{place[0]}.{name}" not in written
        ]
        if not entries:
            continue
        parts += [f"## {title}", described(package.modules[module])]
        for name, origin, node in entries:
            written.add(f"{origin}.{name}")
            parts += entry(f"{title}.{name}", origin, node)
            if isinstance(node, ast.FunctionDef) and node.returns:
                wanted += re.findall(r"[A-Z]\w+", ast.unparse(node.returns))
            elif isinstance(node, ast.ClassDef):
                wanted += [ast.unparse(base) for base in node.bases]
                wanted += [word for m in node.body if isinstance(m, ast.FunctionDef) and m.returns
                           and not m.name.startswith("_")
                           for word in re.findall(r"[A-Z]\w+", ast.unparse(m.returns))]
    results = []
    for name in wanted:
        place = package.anywhere(name)
        if place is None or f"{place[0]}.{name}" in written:
            continue
        written.add(f"{place[0]}.{name}")
        results.append((name, *place))
        wanted += [ast.unparse(base) for base in getattr(place[1], "bases", [])]
    if results:
        parts += ["## Results", "What the functions give back."]
        for name, origin, node in results:
            parts += entry(name, origin, node)
    return "\n\n".join(part for part in parts if part) + "\n"


def main() -> int:
    package = Package(PACKAGE)
    text = page(package)
    if "--check" not in sys.argv[1:]:
        PAGE.write_text(text)
        return 0
    if not PAGE.exists() or PAGE.read_text() != text:
        name = PAGE.relative_to(ROOT)
        print(f"{name} is not what the package says: python3 Scripts/python_api.py", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
