"""Writes the dataclasses of reports from the Swift types whose JSON they hold.

python python/tools/reports.py          writes them
python python/tools/reports.py --check  ends with 1 where what stands there is another text
"""

from __future__ import annotations

import keyword
import re
import sys
import textwrap
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from report_types import MODULES, OPEN, PLAIN, SECTIONS  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "python/src/eigenstep"


@dataclass
class Property:
    name: str
    type: str
    doc: str
    key: str = ""


@dataclass
class Struct:
    name: str
    doc: str
    properties: list[Property] = field(default_factory=list)
    keys: dict[str, str] = field(default_factory=dict)
    listed: set[str] | None = None


def structs() -> tuple[dict[str, Struct], set[str]]:
    """The types of the sources by their full names, and the names of those that are enumerations."""
    found: dict[str, Struct] = {}
    enums: set[str] = set()
    for path in sorted((ROOT / "Sources").rglob("*.swift")):
        _read(path.read_text(), found, enums)
    return found, enums


def _read(text: str, found: dict[str, Struct], enums: set[str]) -> None:
    scopes: list[tuple[str, int, str]] = []
    depth = 0
    doc: list[str] = []
    lines = text.split("\n")
    for number, line in enumerate(lines):
        bare = line.strip()
        if bare.startswith("///"):
            doc.append(bare[3:].strip())
            continue
        code = re.sub(r'"(?:\\.|[^"\\])*"', '""', line.split("//")[0])
        kind = re.match(
            r"\s*(?:@\w+ )*(?:public |package |private |fileprivate |final |indirect )*"
            r"(struct|enum|class|extension|protocol) ([\w.]+)",
            code,
        )
        inside = scopes[-1] if scopes and scopes[-1][1] == depth else None
        if kind:
            outer = ".".join(name for name, _, _ in scopes)
            full = f"{outer}.{kind[2]}" if outer else kind[2]
            if kind[1] == "struct" and full not in found:
                found[full] = Struct(full, " ".join(doc))
            if kind[1] == "enum":
                enums.add(full)
            if "{" in code or "{" in (lines[number + 1] if number + 1 < len(lines) else ""):
                scopes.append((kind[2], depth + 1, kind[1]))
        elif inside and inside[2] in ("struct", "extension"):
            owner = ".".join(name for name, _, _ in scopes)
            item = re.match(
                r"\s*public (?:(?:internal|private|package)\(set\) )?(?:var|let) `?(\w+)`?: ([^={]+?)\s*(=.*)?$",
                code,
            )
            if item and owner in found:
                paragraphs = " ".join(doc)
                found[owner].properties.append(Property(item[1], item[2].strip(), paragraphs))
        elif inside and inside[2] == "enum" and inside[0] == "CodingKeys":
            owner = ".".join(name for name, _, _ in scopes[:-1])
            if owner in found and bare.startswith("case "):
                names = [part.strip() for part in line.strip()[5:].split(",")]
                listed = found[owner].listed or set()
                for name in names:
                    own, _, raw = name.partition(" = ")
                    listed.add(own.strip("`"))
                    if raw:
                        found[owner].keys[own] = raw.strip('"')
                found[owner].listed = listed
        depth += code.count("{") - code.count("}")
        while scopes and depth < scopes[-1][1]:
            scopes.pop()
        doc = []


def meanings() -> dict[str, dict[str, str]]:
    """What docs/json.md says of the keys in the sections of one object each."""
    found: dict[str, dict[str, str]] = {}
    owner = ""
    for line in (ROOT / "docs/json.md").read_text().split("\n"):
        if line.startswith("#"):
            section = re.match(r"## `(\w+)`", line)
            owner = SECTIONS.get(section[1], "") if section else ""
        row = re.match(r"\| (`[^|]*`) \| [^|]* \| (.*) \|$", line.replace("\\\\|", "¦"))
        if not owner or not row:
            continue
        names = re.findall(r"`(\.?\w+)`", row[1])
        if any("." in name for name in re.findall(r"`([^`]+)`", row[1])):
            continue
        for name in names:
            text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", row[2]).replace("`null`", "None")
            text = re.sub(r"\b[Nn]ull\b", "None", text).replace("¦", "|").strip()
            text = re.sub(r"`?--(\w[\w-]*)`?", lambda m: f"`{m[1].replace('-', '_')}`", text)
            found.setdefault(owner, {})[name] = text[0].upper() + text[1:] + "."
    return found


def snake(name: str) -> str:
    own = re.sub(r"(?<=[a-z0-9])([A-Z])", lambda m: "_" + m[1].lower(), name).lower()
    return own + "_" if keyword.iskeyword(own) else own


class Types:
    def __init__(self) -> None:
        self.structs, self.enums = structs()
        self.meanings = meanings()
        self.names = {swift: name for _, classes in MODULES.values() for swift, name in classes}
        self.home = {name: module for module, (_, classes) in MODULES.items() for _, name in classes}

    def python(self, swift: str, owner: str) -> str:
        if swift.endswith("?"):
            inner = self.python(swift[:-1], owner)
            return inner if inner == "Any" else f"{inner} | None"
        if swift.startswith("[") and swift.endswith("]"):
            inside = swift[1:-1]
            if ":" in inside:
                return f"dict[str, {self.python(inside.split(':')[1].strip(), owner)}]"
            return f"tuple[{self.python(inside, owner)}, ...]"
        if swift in PLAIN:
            return PLAIN[swift]
        if swift in OPEN:
            return "dict[str, Any]"
        parts = owner.split(".")
        for count in range(len(parts), -1, -1):
            full = ".".join(parts[:count] + [swift])
            if full in self.names:
                return self.names[full]
            if full in self.enums:
                return "str"
        if swift.split(".")[-1] in {name.split(".")[-1] for name in self.enums}:
            return "str"
        raise SystemExit(f"{owner}: no Python type for {swift}; name it in MODULES or OPEN.")


def words(doc: str) -> str:
    doc = re.sub(r"``(?:[\w/]*/)?([\w.()]+)``", lambda m: f"`{m[1]}`", doc)
    doc = re.sub(r"`([^`]+)`", lambda m: f"`{snake(m[1]) if re.search('[a-z][A-Z]', m[1]) else m[1]}`", doc)
    doc = re.sub(r"  +", " ", doc)
    doc = re.sub(r"\b([Nn])il\b", "None", doc)
    return doc.strip()


def render(module: str, types: Types) -> str:
    title, classes = MODULES[module]
    bodies = []
    used: set[str] = set()
    for swift, name in classes:
        struct = types.structs.get(swift)
        if struct is None or not struct.properties:
            raise SystemExit(f"{swift} is no Swift type with public properties.")
        bodies.append(render_class(struct, name, types, used))
    imports: dict[str, list[str]] = {}
    for name in sorted(used):
        home = types.home[name]
        if home != module:
            imports.setdefault(home, []).append(name)
    lines = [
        f'"""{title}',
        "",
        "Written by python/tools/reports.py from the Swift types; edit those.",
        '"""',
        "",
        "from __future__ import annotations",
        "",
        "from dataclasses import dataclass, field",
        "from typing import Any",
        "",
    ]
    for home, names in sorted(imports.items()):
        lines.append(f"from .{home} import {', '.join(names)}")
    if imports:
        lines.append("")
    text = "\n".join(lines) + "\n\n" + "\n\n".join(bodies)
    if "Any" not in text.split("from typing import Any")[1]:
        text = text.replace("from typing import Any\n", "")
    if "field(" not in text:
        text = text.replace("import dataclass, field", "import dataclass")
    return text


def render_class(struct: Struct, name: str, types: Types, used: set[str]) -> str:
    lines = ["@dataclass(frozen=True)", f"class {name}:"]
    properties = [
        item
        for item in struct.properties
        if item.name != "schema" and (struct.listed is None or item.name in struct.listed)
    ]
    doc = words(struct.doc) or f"The part of a report that `{snake(name)}` names."
    lines.append('    """' + wrapped(doc, 4, first=7))
    meanings = types.meanings.get(struct.name, {})
    for item in properties:
        item.doc = meanings.get(item.name, item.doc)
    noted = [item for item in properties if item.doc]
    if noted:
        lines += ["", "    Attributes", "    ----------"]
        for item in noted:
            lines += [f"    {snake(item.name)}", "        " + wrapped(words(item.doc), 8)]
        lines += ['    """', ""]
    elif len(lines[-1]) <= 102 and "\n" not in lines[-1]:
        lines[-1] += '"""'
        lines.append("")
    else:
        lines += ['    """', ""]
    for item in properties:
        type_ = types.python(item.type, struct.name)
        used.update(word for word in re.findall(r"\w+", type_) if word in types.home)
        key = struct.keys.get(item.name, item.name)
        default = ""
        own = snake(item.name)
        if camel(own) != key:
            default = f' = field(metadata={{"key": "{key}"}})'
        lines.append(f"    {own}: {type_}{default}")
    return "\n".join(lines) + "\n"


def camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


def wrapped(text: str, indent: int, first: int | None = None) -> str:
    lines = textwrap.wrap(
        " " * ((first or indent) - indent) + text,
        105 - indent,
        break_long_words=False,
        break_on_hyphens=False,
        drop_whitespace=True,
    )
    return ("\n" + " " * indent).join(line.rstrip() for line in lines).lstrip()


def main() -> int:
    types = Types()
    wrong = []
    for module in MODULES:
        path = PACKAGE / f"{module}.py"
        text = render(module, types)
        if "--check" in sys.argv:
            if not path.exists() or path.read_text() != text:
                wrong.append(path.name)
        else:
            path.write_text(text)
    if wrong:
        print(f"{', '.join(wrong)} are behind the Swift types: run python/tools/reports.py")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
