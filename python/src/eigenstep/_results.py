"""What every result can do: be told as text, as a dictionary, as a table, as a figure, as a page."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Sequence

from . import _library
from ._wording import Wording
from .errors import UnavailableError, UsageError

if TYPE_CHECKING:
    from ._figures import Plot

Rows = Sequence["dict[str, Any]"]


@dataclass(frozen=True, repr=False)
class Result:
    """An answer with the report that it was taken from."""

    _answer: _library.Answer = field(repr=False, compare=False, kw_only=True)
    _report: dict[str, Any] = field(repr=False, compare=False, kw_only=True)
    _wording: Wording = field(default=Wording(), repr=False, compare=False, kw_only=True)

    def to_dict(self) -> dict[str, Any]:
        """The report as ``docs/json.md`` describes it."""
        return self._report

    def text(self, width: int | None = None) -> str:
        """The report as the terminal shows it, by default as wide as the terminal is."""
        columns = shutil.get_terminal_size().columns if width is None else width
        return self._wording.text(self._answer.text(columns))

    def to_frame(self, table: str | None = None) -> Any:
        """A table of the report as a pandas ``DataFrame``.

        Parameters
        ----------
        table
            Which; by default the first of ``tables``.
        """
        tables = self._tables()
        if not tables:
            raise UsageError(f"A {type(self).__name__} has no table; see its attributes.")
        name = next(iter(tables)) if table is None else table
        if name not in tables:
            raise UsageError(f"There is no table {name!r}: choose one of {', '.join(tables)}.")
        try:
            import pandas  # type: ignore[import-untyped]
        except ImportError:
            raise UnavailableError("to_frame needs pandas, which is not installed: pip install pandas.") from None
        rows, columns = list(tables[name]), None
        if not rows:
            columns = list(self._columns(name))
        return pandas.DataFrame(rows, columns=columns)

    @property
    def tables(self) -> tuple[str, ...]:
        """The names that `to_frame` takes."""
        return tuple(self._tables())

    def figure(self) -> Any:
        """The result as a Plotly ``Figure``."""
        plot = self._plot()
        if plot is None:
            raise UsageError(f"This {type(self).__name__} has nothing to draw; print it instead.")
        from ._figures import plotly_figure

        return plotly_figure(plot)

    def _tables(self) -> dict[str, Rows]:
        return {}

    def _columns(self, table: str) -> Sequence[str]:
        return ()

    def _plot(self) -> Plot | None:
        return None

    def _paragraphs(self) -> list[tuple[str, str]]:
        """What stands first on a page: leads and sentences."""
        return []

    def __repr__(self) -> str:
        return self.text()

    def _repr_html_(self) -> str:
        from ._page import section

        return section(
            self.text(100), self._paragraphs(), {name: rows for name, rows in self._tables().items()}, self._plot())

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        # IPython would break the lines of a long repr at other places.
        printer.text("..." if cycle else self.text())
