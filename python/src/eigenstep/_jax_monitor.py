"""A training loop in JAX, watched."""

from __future__ import annotations

import logging
import warnings
from typing import Any, Callable, Sequence

import jax
import numpy as np

from . import _library
from ._jax_loss import JaxLoss
from ._monitor_results import (
    Alarm, EigenstepAlarm, EigenstepWarning, MonitorReport, Sight, report_of,
)
from ._monitoring import ALARM, CHECK, Session
from ._optax import rate_of, standing_of
from ._optimizers import Standing
from .errors import EigenstepError, UsageError

_logger = logging.getLogger("eigenstep")
# Losses that are read at once, so that steps need not wait for them.
_READ_AT_ONCE = 10


class Monitor:
    """Watches a loop of JAX: curvature beside the limit of the rate, and a guard.

        monitor = eigenstep.jax.Monitor(loss_fn, optimizer="adam", lr=1e-3)
        for batch in batches:
            params, opt_state, loss = train_step(params, opt_state, batch)
            monitor.step(params, opt_state, batch, loss)

    Parameters
    ----------
    loss_fn
        ``loss_fn(params, batch)``, a scalar; with ``has_aux`` it and anything else, and where ``rng`` is given that
        is the third argument.
    optimizer
        optax's name of the rule, as `eigenstep.jax.diagnose` takes it; None where it is another, of which the losses
        alone are watched. Its moments are found in ``opt_state``, in any nesting.
    lr
        The rate, a schedule of the count of steps, or a pytree of rates as ``params`` has arrays; where optax's
        ``inject_hyperparams`` holds it, that one.
    numbers
        The rule's numbers by optax's names, where they are not its defaults: ``b1=0.95``. What ``inject_hyperparams``
        holds is read at each check.
    every, guard, track, log, batch, seed
        As of `eigenstep.Monitor`. A functional loop has nothing to act on, so ``guard`` is ``"warn"``, ``"stop"`` or
        ``"off"``.
    products
        ``"autograd"``, or ``"differences"`` of gradients, for operations without a second derivative.
    """

    def __init__(
        self,
        loss_fn: Callable[[Any, Any], Any],
        *,
        optimizer: str | None,
        lr: Any,
        every: int = 100,
        guard: str = "warn",
        track: Sequence[str] = (),
        log: str | None = None,
        batch: Any = None,
        seed: int = 0,
        has_aux: bool = False,
        rng: Any = None,
        products: str = "autograd",
        **numbers: float,
    ) -> None:
        if guard not in ("off", "warn", "stop"):
            raise UsageError(f"guard={guard!r}: a loop of JAX is watched by one of off, warn, stop.")
        if products not in ("autograd", "differences"):
            raise UsageError(f"products is {products!r}: it is 'autograd' or 'differences'.")
        self.loss_fn, self.lr, self.guard = loss_fn, lr, guard
        self._options = {"has_aux": has_aux, "rng": rng, "products": products}
        self._sight = Sight()
        self.alarms: list[Alarm] = []
        self._settings: dict[str, Any] = {
            "every": every, "guard": guard, "track": list(track), "seed": seed,
        }
        if log is not None:
            self._settings["log"] = str(log)
        if optimizer is None:
            self._settings["notes"] = ["No optimizer was named: the guard goes by the losses alone."]
        else:
            self._settings["optimizer"] = standing_of(optimizer, None, {}, None, numbers).setting
        self._optimizer, self._hyperparameters = optimizer, numbers
        self._batch = batch
        self._loss: JaxLoss | None = None
        self._session: Session | None = None
        self._waiting: list[tuple[Any, float]] = []
        self._steps, self._wait, self._numbers = 0, 1, 0
        self._notes: list[str] = []
        self._rate = self._rate_of(None)

    def step(self, params: Any, opt_state: Any, batch: Any, loss: Any) -> Alarm | None:
        """Takes note of a step, behind it: its results, its batch, and the loss before it.

        Losses are read every ten steps or before a check, so that steps need not wait for them.
        """
        if self._batch is None:
            self._batch = batch
        if self._session is None:
            leaves = jax.tree_util.tree_leaves(params)
            is_double = bool(leaves) and all(leaf.dtype == np.float64 for leaf in leaves)
            precision = "float64" if is_double else "float32"
            self._session = Session({**self._settings, "precision": precision})
        self._steps += 1
        taken, self._rate = self._rate, self._rate_of(opt_state)
        self._waiting.append((loss, taken))
        if len(self._waiting) < min(_READ_AT_ONCE, self._wait) and self._rate <= 1.1 * taken:
            return None
        return self._read(params, opt_state)

    def _rate_of(self, opt_state: Any) -> float:
        injected = rate_of(opt_state)
        if injected is not None:
            return injected
        lr = self.lr(self._steps) if callable(self.lr) else self.lr
        return max((float(rate) for rate in jax.tree_util.tree_leaves(lr)), default=0.0)

    def _read(self, params: Any, opt_state: Any) -> Alarm | None:
        session = self._session
        assert session is not None
        waiting, self._waiting = self._waiting, []
        values = jax.device_get([loss for loss, _ in waiting])
        rates = [rate for _, rate in waiting[1:]] + [self._rate]
        news, alarm = 0, None
        for value, (_, rate), following in zip(values, waiting, rates):
            news = session.step(float(value), rate, following)
            if news & ALARM:
                found = session.alarm()
                alarm = Alarm(found["step"], found["sentence"], found["rateFactor"], None)
                self.alarms.append(alarm)
                if self.guard == "stop":
                    raise EigenstepAlarm(alarm.sentence)
                warnings.warn(alarm.sentence, EigenstepWarning, stacklevel=3)
        if news & CHECK and params is not None:
            self._look(session, params, opt_state)
        self._wait = session.wait()
        return alarm

    def _look(self, session: Session, params: Any, opt_state: Any) -> None:
        if self._sight.is_lost:
            return
        try:
            self._check(session, params, opt_state)
        except EigenstepError as error:
            self._sight.fails(error)

    def _check(self, session: Session, params: Any, opt_state: Any) -> None:
        loss = self._loss
        if loss is None:
            loss = self._loss = JaxLoss(self.loss_fn, params, [self._batch], **self._options)
        # Each check is of a point of its own, whose numbers begin anew.
        self._numbers += 1 << 20
        base = self._numbers
        point = _flat(params)
        functions = _library.LossFunctions(
            loss.description("loss"), point,
            lambda number, at, gradient: loss.value_and_gradient(base + number, at, gradient),
            lambda number, at, along, result: loss.hessian_product(base + number, at, along, result),
        )
        standing = Standing()
        if self._optimizer is not None:
            # A rate for each array has factors; a schedule's or the state's is the one that the step is told with.
            lr = self._rate if jax.tree_util.all_leaves([self.lr]) else self.lr
            standing = standing_of(self._optimizer, opt_state, params, lr, self._hyperparameters)
            self._notes = standing.notes
            functions.description = standing.describe(functions.description)
        for value in session.check([functions], self._rate, standing.arrays()):
            if value.get("threshold") and value["value"] > value["threshold"]:
                _logger.info(
                    "step %d: the %s is %.4g, over the %.4g that the rate %.4g stands", self._steps,
                    value["name"], value["value"], value["threshold"], self._rate,
                )

    def report(self) -> MonitorReport:
        """What was seen so far; losses that were not read yet are read, without a check."""
        if self._session is None:
            raise UsageError("The monitor has seen no step yet.")
        if self._waiting:
            self._read(None, None)
        return report_of(self._session.report(self._sight.note(self._loss, self._notes)))


def _flat(tree: Any) -> np.ndarray:
    return np.concatenate(
        [np.asarray(leaf, dtype=np.float64).reshape(-1) for leaf in jax.tree_util.tree_leaves(tree)]
    )
