"""A result as a section of a notebook's page; everything that comes from the user is escaped."""

from __future__ import annotations

import html
from typing import Any, Mapping, Sequence

from ._figures import Plot, svg

_MOST_ROWS = 30


def section(
    text: str,
    paragraphs: Sequence[tuple[str, str]],
    tables: Mapping[str, Sequence[Mapping[str, Any]]],
    plot: Plot | None,
) -> str:
    """The paragraphs, the figure, the first table and, folded, the whole text."""
    title = text.strip().split("\n\n")[0]
    parts = [f"<p><b>{_escaped(' '.join(title.split()))}</b></p>"]
    for lead, sentence in paragraphs:
        shown = f"<b>{_escaped(lead)}</b> " if lead else ""
        parts.append(f"<p>{shown}{_escaped(sentence)}</p>")
    if plot is not None:
        parts.append(svg(plot))
    for index, (name, rows) in enumerate(tables.items()):
        if rows:
            parts.append(_table(name, rows) if index == 0 else _folded(name, _table(None, rows)))
    parts.append(_folded("the whole report", f"<pre>{_escaped(text)}</pre>"))
    return f'<div class="eigenstep">{"".join(parts)}</div>'


def _folded(name: str, content: str) -> str:
    return f"<details><summary>{_escaped(name)}</summary>{content}</details>"


def _table(name: str | None, rows: Sequence[Mapping[str, Any]]) -> str:
    columns = [key for key in rows[0] if any(row.get(key) not in (None, (), []) for row in rows)]
    head = "".join(f"<th>{_escaped(key.replace('_', ' '))}</th>" for key in columns)
    body = "".join(
        "<tr>" + "".join(f"<td>{_escaped(_cell(row.get(key)))}</td>" for key in columns) + "</tr>"
        for row in rows[:_MOST_ROWS]
    )
    more = f"<p>({len(rows) - _MOST_ROWS} more rows)</p>" if len(rows) > _MOST_ROWS else ""
    caption = "" if name is None else f"<caption>{_escaped(name)}</caption>"
    return f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{more}"


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, (list, tuple)):
        return ", ".join(_cell(item) for item in value)
    return str(value)


def _escaped(text: str) -> str:
    return html.escape(text)
