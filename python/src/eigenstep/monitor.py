"""A training loop of your own, watched.

    monitor = eigenstep.Monitor(model, loss_fn, optimizer)
    for batch in loader:
        ...
        optimizer.step()
        monitor.step(batch, loss)
    print(monitor.report())
"""

from __future__ import annotations

import logging
import warnings
from typing import Any, Callable, Sequence

import numpy as np
import torch
from torch import nn

from . import _library
from ._monitoring import ALARM, CHECK, Session
from ._monitor_results import (
    Alarm, EigenstepAlarm, EigenstepWarning, MonitorReport, Sight, report_of,
)
from ._monitor_batches import parts_of
from ._monitor_options import check_options, log_settings, ranks
from ._torch_batches import cloned
from ._torch_loss import TorchLoss
from ._torch_optimizers import rate_of
from ._torch_state import Point, RateFactor, described, standing_in_loop
from .errors import EigenstepError, UsageError

__all__ = ["Alarm", "EigenstepAlarm", "EigenstepWarning", "Monitor", "MonitorReport"]

_logger = logging.getLogger("eigenstep")
_GUARDS = ("off", "warn", "stop", "lower-rate")
# Losses on a device that are read at once, so that steps need not wait for it.
_READ_AT_ONCE = 10


class Monitor:
    """Watches a training loop: curvature beside the limit of the rate, and a guard that tells a run that is being
    lost from one that sits at the edge of stability.

    Parameters
    ----------
    model, loss_fn
        As `eigenstep.torch.diagnose` takes them: ``loss_fn(model, batch)``, or a loss of PyTorch's own.
    optimizer
        The loop's own. Its rule, rates and moments make the limit; of a rule without a known one the losses alone
        are watched.
    every
        Steps between two checks, of two or three Hessian products each. A check comes earlier where the guard asks
        for it: a rate over the limit is information and shortens the interval, a rate that rises asks for one.
    guard
        What an alarm does: a rate over the limit together with growth along the sharpest direction or losses above
        their band, in consecutive checks, or losses that show by themselves that the run is lost.
        ``"warn"``: a Python warning (`EigenstepWarning`). ``"stop"``: raises `EigenstepAlarm`. ``"lower-rate"``: puts
        parameters and optimizer back to the last point that has shown itself to be good, of which up to three copies
        are kept on the parameters' devices, and lowers the rate: ``rate_factor`` multiplies the rates of the
        optimizer's groups within ``optimizer.step()``, so that a scheduler goes on with its own rates and does not
        undo it. ``"off"``: nothing.
    track
        More trackers by name: ``"gradient-noise"`` (from eight groups of the batch's samples), ``"layers"`` (gradient
        norms and update-to-weight ratios), ``"truncation"``, ``"oscillation"``, ``"sharpness"``.
    log
        A folder for ``events.jsonl`` and event files of TensorBoard.
    resume
        Whether the log of an earlier run in that folder goes on, as behind `load_state_dict`.
    batch
        What checks are made on; by default the first batch that ``step`` is given, copied.
    dtype, products, micro_batch, memory
        How checks are computed, as of `eigenstep.torch.diagnose`. Of a loss that has no curvature, as one without
        a second derivative, a warning says so, and the losses alone are watched.
    """

    def __init__(
        self,
        model: nn.Module,
        loss_fn: Callable[..., Any],
        optimizer: torch.optim.Optimizer,
        *,
        every: int = 100,
        guard: str = "warn",
        track: Sequence[str] = (),
        log: str | None = None,
        resume: bool = False,
        batch: Any = None,
        seed: int = 0,
        dtype: torch.dtype | None = None,
        products: str = "autograd",
        micro_batch: int | None = None,
        memory: int | None = None,
    ) -> None:
        if guard not in _GUARDS:
            raise UsageError(f"guard={guard!r}: choose one of {', '.join(_GUARDS)}.")
        if guard in ("stop", "lower-rate") and ranks() > 1:
            raise UsageError(
                f"guard={guard!r} acts on each of {ranks()} ranks by what that rank sees, so that they would part: "
                'take guard="warn".'
            )
        optimizer = getattr(optimizer, "optimizer", optimizer)
        check_options(model, optimizer, "The monitor", dtype, products)
        self.model, self.loss_fn, self.optimizer = model, loss_fn, optimizer
        self.every, self.guard = every, guard
        self.alarms: list[Alarm] = []
        self._track = tuple(track)
        self._batch = None if batch is None else cloned(batch)
        self._loss: TorchLoss | None = None
        self._groups: list[TorchLoss] = []
        self._numbers = 0
        self._sight = Sight()
        self._options: dict[str, Any] = {
            "seed": seed, "dtype": dtype, "products": products, "micro_batch": micro_batch, "memory": memory,
        }
        self._factor = RateFactor(optimizer)
        self._points: dict[int, Point] = {}
        self._waiting: list[tuple[torch.Tensor, float]] = []
        # Steps taken, and those that the library knows.
        self._steps = self._fed = 0
        self._is_over = False
        trained = {name: p for name, p in model.named_parameters() if p.requires_grad}
        kinds = {p.dtype for p in trained.values()} if dtype is None else {dtype}
        settings: dict[str, Any] = {
            "every": every,
            "guard": guard,
            "track": list(track),
            "seed": seed,
            "precision": "float64" if kinds == {torch.float64} else "float32",
        }
        if log is not None:
            settings.update(log_settings(str(log), resume))
        self._notes: list[str] = []
        rule = standing_in_loop(optimizer, trained).setting
        if rule is not None:
            settings["optimizer"] = rule
        else:
            settings["notes"] = [
                f"Of {type(optimizer).__name__} as it is set no limit is known: the guard goes by the losses alone."
            ]
        self._session: Session | None = Session(settings)
        self._rate = self.rate
        self._wait = 1

    @property
    def rate_factor(self) -> float:
        """What alarms have multiplied the rates by."""
        return self._factor.value

    @property
    def rate(self) -> float:
        """The rate of the next step: the largest of the groups, times `rate_factor`.

        As it is judged: of SGD with dampening, the part of it that is left.
        """
        return rate_of(self.optimizer) * self._factor.value

    def step(self, batch: Any, loss: torch.Tensor | float) -> Alarm | None:
        """Takes note of a step; to be called once a step, behind ``optimizer.step()`` and ``scheduler.step()``.

        Parameters
        ----------
        batch
            What the step was taken on; looked at only the first time, where no batch was given.
        loss
            Its loss before the step: what ``backward()`` was called on, as a tensor or a number. A tensor on another
            device is read every ten steps or before a check, so that steps do not wait for it.

        Returns
        -------
        Alarm or None
            With ``guard="stop"`` an alarm is raised instead.
        """
        session = self._session
        if session is None:
            raise UsageError("The monitor is closed; make another one.")
        if self._batch is None:
            self._batch = cloned(batch)
        taken, self._rate = self._rate, self.rate
        self._steps += 1
        if isinstance(loss, torch.Tensor):
            if _is_elsewhere(loss):
                self._waiting.append((loss.detach(), taken))
                # A rate that rises asks for a check.
                is_due = len(self._waiting) >= min(_READ_AT_ONCE, self._wait)
                return self._read(session) if is_due or self._rate > 1.1 * taken else None
            loss = loss.item()
        news = session.step(loss, taken, self._rate)
        self._fed += 1
        return self._act(session, news) if news or self.guard == "lower-rate" else None

    def _read(self, session: Session) -> Alarm | None:
        waiting, self._waiting = self._waiting, []
        values = torch.stack([loss.reshape(()) for loss, _ in waiting]).tolist()
        news, alarm = 0, None
        rates = [rate for _, rate in waiting[1:]] + [self._rate]
        for value, (_, rate), following in zip(values, waiting, rates):
            news = session.step(value, rate, following)
            self._fed += 1
            if news & ALARM:
                alarm = self._answer(session)
                if self.guard == "lower-rate":
                    # What came behind it is gone with the rate that made it.
                    break
        self._act(session, news & ~ALARM)
        self._wait = session.wait()
        return alarm

    def _act(self, session: Session, news: int) -> Alarm | None:
        alarm = self._answer(session) if news & ALARM else None
        if news & CHECK:
            self._check(session)
        if self.guard == "lower-rate":
            kept = session.keep()
            if kept is not None:
                self._points = {s: point for s, point in self._points.items() if s in kept}
                self._points[self._fed] = Point(self.model, self.optimizer)
        return alarm

    def _answer(self, session: Session) -> Alarm:
        found = session.alarm()
        alarm = Alarm(found["step"], found["sentence"], found["rateFactor"], found["backTo"])
        self.alarms.append(alarm)
        if self.guard == "stop":
            raise EigenstepAlarm(alarm.sentence)
        if self.guard == "lower-rate":
            self._factor.multiply(alarm.rate_factor)
            point = None if alarm.back_to is None else self._points.get(alarm.back_to)
            if point is not None:
                point.restore(self.optimizer)
            self._rate = self.rate
        warnings.warn(alarm.sentence, EigenstepWarning, stacklevel=4)
        return alarm

    # Checks.

    def _check(self, session: Session) -> None:
        if self._sight.is_lost:
            return
        try:
            self._look(session)
        except EigenstepError as error:
            self._sight.fails(error)
        finally:
            for loss in [self._loss, *self._groups]:
                if loss is not None:
                    loss.forget()

    def _look(self, session: Session) -> None:
        if self._loss is None:
            loss = TorchLoss(self.model, self.loss_fn, [self._batch], **self._options)
            if "gradient-noise" in self._track:
                self._groups = [
                    TorchLoss(self.model, self.loss_fn, [part], **self._options)
                    for part in parts_of(self._batch, 8)
                ]
            self._loss = loss
        # Schedulers change rates, momentum and betas, so that each check goes by what they are now.
        standing = standing_in_loop(self.optimizer, self._loss.parameters)
        if standing.rate is not None:
            self._notes = standing.notes
        values = session.check(
            [described(self._functions(loss), standing) for loss in [self._loss, *self._groups]],
            (standing.rate or 0.0) * self._factor.value if standing.setting else self._rate,
            standing.arrays(),
        )
        over = next((v for v in values if v.get("threshold") and v["value"] > v["threshold"]), None)
        if over is not None and not self._is_over:
            _logger.info(
                "step %d: the %s is %.4g, over the %.4g that the rate %.4g stands: the next checks come sooner",
                self._steps, over["name"], over["value"], over["threshold"], self._rate,
            )
        if values:
            self._is_over = over is not None

    def _functions(self, loss: TorchLoss) -> _library.LossFunctions:
        # Each check is of a point of its own, whose numbers begin anew.
        self._numbers += 1 << 20
        base = self._numbers

        def value(number: int, point: np.ndarray, gradient: np.ndarray | None) -> float:
            return loss.value_and_gradient(base + number, point, gradient)

        def product(
            number: int, point: np.ndarray, direction: np.ndarray, result: np.ndarray
        ) -> None:
            loss.hessian_product(base + number, point, direction, result)

        return _library.LossFunctions(loss.description("loss"), loss.start(), value, product)

    # What has been seen.

    def report(self) -> MonitorReport:
        """What was seen so far."""
        session = self._session
        if session is None:
            return self._last
        if self._waiting:
            self._read(session)
        return report_of(session.report(self._sight.note(self._loss, self._notes)))

    def close(self) -> None:
        """Ends the log. A lowered rate stays lowered; `report` and `state_dict` give what was until here."""
        if self._session is not None:
            self._last, self._last_state = self.report(), self.state_dict()
            self._session.close()
            self._session = None
            self._points, self._batch, self._loss, self._groups = {}, None, None, []

    def __enter__(self) -> Monitor:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def state_dict(self) -> dict[str, Any]:
        """What a monitor of the same arguments needs to go on; points to go back to are not part of it."""
        session = self._session
        if session is None:
            return dict(self._last_state)
        if self._waiting:
            self._read(session)
        return {"session": session.state(), "rate_factor": self.rate_factor, "steps": self._fed}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes on where another monitor of the same arguments was.

        Raises
        ------
        UsageError
            Where the state is of other trackers or another guard, or the monitor is closed.
        """
        if self._session is None:
            raise UsageError("The monitor is closed; make another one.")
        self._session.restore(state["session"])
        self._steps = self._fed = state["steps"]
        self._factor.multiply(state["rate_factor"] / self.rate_factor)
        self._rate, self._points, self._wait = self.rate, {}, 1


def _is_elsewhere(loss: torch.Tensor) -> bool:
    """Whether reading it would wait for another device."""
    return loss.device.type != "cpu"
