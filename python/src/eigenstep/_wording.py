"""The words of the command as those of Python: ``--weight-decay 0.1`` as ``weight_decay=0.1``."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Iterable, Mapping

from .errors import EigenstepError, error_of

_SWITCHES = {"no-trials": "trials=False", "no-intercept": "intercept=False"}

# The fields of a request that have another name here.
_FIELDS = {
    "batches": "batch",
    "checkpoints": "checkpoint",
    "dropped": "drop",
    "frozen": "freeze",
    "guarding": "guard",
    "kept": "keep",
    "preconditioning": "precondition",
    "rate": "lr",
    "rates": "rate",
    "resumes": "resume",
    "saved": "save",
    "standardised": "standardise",
    "switching": "switch",
    "trackers": "track",
    "undecayed": "no_decay",
}

# Whatever else may stand behind a flag is a word of the sentence.
_VALUE = (
    r"[-+]?\d[\d,]*(?:\.\d+)?(?:e[-+]?\d+)?(?::[-+]?\d[\d.]*(?:e[-+]?\d+)?)*|[a-z]+(?:-[a-z]+)*:[\w=.,:-]*\w"
    r"|float32|float64|linear|logistic|softmax|auto|lower-rate|reference|refuse|mean|N\b|FOLDER|FILE"
)
_FLAG = re.compile(rf"( ?)(?<![\w-])--([a-z][a-z0-9-]*)(?:(\s+)({_VALUE})(?![\w-]))?")
# Names of columns stand behind these, quoted for a shell where need be.
_NAMES = re.compile(r"( ?)(?<![\w-])--(keep|drop|target)(\s+)('[^'\n]*'|[^\s']+?)(?=[;.,]?(?:\s|$))")
_FIELD = re.compile(r"(?<!column )`([a-zA-Z]\w*)(?:: ([^`]*))?`")
_REQUEST = re.compile(
    r"^The request's ([\w.]+?)((?: factor| rate) of '.*?')? (is|has|holds|names|gives|needs) ", re.S
)
_PLACE = re.compile(r"\b(?:training|trials|resources|rules|files|batches)\.\w+")
_NUMBER = re.compile(r"[-+]?\d")


@dataclass(frozen=True)
class Wording:
    """How a function of the package calls what it was given.

    Attributes
    ----------
    keywords
        Those of the function, by the places in a request that they set.
    held
        The names of arrays in memory, as files.
    renamed
        Options that have another keyword here.
    """

    keywords: Mapping[str, str] = field(default_factory=dict)
    held: tuple[str, ...] = ()
    renamed: Mapping[str, str] = field(default_factory=dict)

    def text(self, text: str) -> str:
        """A report with keywords in place of flags."""
        for flag, keyword in self.renamed.items():
            text = text.replace(f"--{flag}", f"--{keyword}")
        return self._held(_FLAG.sub(_keyword, _NAMES.sub(_keyword, text)) if "--" in text else text)

    def report(self, value: Any) -> Any:
        """The same in every sentence of a report."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, list):
            return [self.report(item) for item in value]
        if isinstance(value, dict):
            return {name: item if name == "request" else self.report(item) for name, item in value.items()}
        return value

    def error(self, error: EigenstepError) -> EigenstepError:
        """A refusal of a request in words of the keywords that made it."""
        sentence = _REQUEST.sub(self._place, str(error))
        sentence = _PLACE.sub(lambda found: self.keywords.get(found[0], found[0]), sentence)
        sentence = _FLAG.sub(_keyword, _NAMES.sub(_keyword, _FIELD.sub(self._field, sentence)))
        sentence = self._held(sentence)
        return error_of(error.status, sentence)

    def _place(self, found: re.Match[str]) -> str:
        place, more, verb = found[1], found[2] or "", found[3]
        keyword = self.keywords.get(place) or _snake(
            _FIELDS.get(place.split(".")[-1], place.split(".")[-1])
        )
        return f"{keyword}{more} {verb} "

    def _field(self, found: re.Match[str]) -> str:
        name, value = found[1], found[2]
        if name not in _FIELDS and value is None and name not in self._known():
            return found[0]
        keyword = _snake(_FIELDS.get(name, name))
        if name == "steps" and "training.steps" in self.keywords:
            keyword = "at"
        if value is None:
            return f"`{keyword}`"
        if keyword == "listing" or name == "ModelParameters":
            return found[0]
        return f"`{keyword}={_literal(value)}`"

    def _known(self) -> Iterable[str]:
        return (place.split(".")[-1] for place in self.keywords)

    def _held(self, text: str) -> str:
        for name in self.held:
            if f"memory:{name}" not in text:
                continue
            text = re.sub(
                rf"memory:{re.escape(name)}, line (\d+)",
                lambda m: f"{name}, row {int(m[1]) - 1} (counted from 0)",
                text,
            )
            text = text.replace(f"memory:{name}", name)
        return text


def _keyword(found: re.Match[str]) -> str:
    space, flag, gap, value = found[1], found[2], found[3], found[4]
    if flag in _SWITCHES:
        return f"{space}{_SWITCHES[flag]}" + (f"{gap}{value}" if value else "")
    keyword = flag.replace("-", "_")
    if value is None:
        return f"{space}{keyword}"
    if flag in ("keep", "drop", "target"):
        bare = value[1:-1] if value.startswith("'") else value
        return f"{gap if chr(10) in gap else space}{keyword}={_quoted(bare)}"
    # A break of the line goes before both.
    lead = gap if "\n" in gap else space
    return f"{lead}{keyword}={_literal(value)}"


def _literal(value: str) -> str:
    if value in ("N", "FOLDER", "FILE", "True", "False"):
        return value
    if _NUMBER.match(value):
        plain = re.sub(r"(?<=\d),(?=\d{3})", "", value)
        trailing = re.search(r"[,.]*$", plain)[0]  # type: ignore[index]
        plain = plain[: len(plain) - len(trailing)] if trailing else plain
        return (f'"{plain}"' if ":" in plain else plain) + trailing
    return _quoted(value)


def _quoted(value: str) -> str:
    return '"' + value.replace('"', '\\"') + '"'


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])([A-Z])", lambda m: "_" + m[1].lower(), name)


OF_LOSSES = Wording(renamed={"error": "density"})
"""Of the functions on losses of frameworks, whose ``density`` is the error that it is asked for with."""
