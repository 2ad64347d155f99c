"""The monitor in other people's loops: Lightning and Hugging Face's Trainer.

    trainer = lightning.Trainer(callbacks=[eigenstep.callbacks.lightning(loss_fn)])
    trainer = transformers.Trainer(..., callbacks=[eigenstep.callbacks.transformers()])

Each makes a `Monitor` when training begins, which is its attribute ``monitor``, and takes that one's options.
"""

from __future__ import annotations

import importlib
from typing import Any, Callable

from .errors import UnavailableError, UsageError

__all__ = ["lightning", "transformers"]


def _module(*names: str) -> Any:
    for name in names:
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError:
            continue
    raise UnavailableError(f"{names[0]} is not installed: pip install {names[0].split('.')[0]}.")


def lightning(loss_fn: Callable[..., Any] | None = None, **options: Any) -> Any:
    """A callback of Lightning.

    Parameters
    ----------
    loss_fn
        ``loss_fn(module, batch)``; by default the module's own ``training_step(batch, 0)``, whose logging is left
        out while the curvature is measured.
    options
        Those of `Monitor`.
    """
    pl = _module("lightning.pytorch", "pytorch_lightning")
    from .monitor import Monitor

    class EigenstepCallback(pl.Callback):
        monitor: Monitor | None = None

        def on_train_start(self, trainer: Any, module: Any) -> None:
            if len(trainer.optimizers) != 1:
                raise UsageError(
                    f"The module has {len(trainer.optimizers)} optimizers and the monitor watches one: "
                    "use eigenstep.Monitor in the module's own loop."
                )
            self.monitor = Monitor(
                module, loss_fn or _training_step, trainer.optimizers[0], **options
            )
            self._taken = trainer.global_step

        def on_train_batch_end(
            self, trainer: Any, module: Any, outputs: Any, batch: Any, batch_idx: int
        ) -> None:
            # Not behind a batch whose gradient is only added up.
            if self.monitor is None or trainer.global_step == self._taken:
                return
            self._taken = trainer.global_step
            loss = outputs["loss"] if isinstance(outputs, dict) else outputs
            if loss is not None:
                # Lightning hands the loss on divided by the batches whose gradients are added up.
                self.monitor.step(batch, loss * trainer.accumulate_grad_batches)

        def on_train_end(self, trainer: Any, module: Any) -> None:
            if self.monitor is not None:
                self.monitor.close()

    return EigenstepCallback()


def _training_step(module: Any, batch: Any) -> Any:
    object.__setattr__(module, "log", lambda *_, **__: None)
    object.__setattr__(module, "log_dict", lambda *_, **__: None)
    try:
        loss = module.training_step(batch, 0)
    finally:
        object.__delattr__(module, "log")
        object.__delattr__(module, "log_dict")
    return loss["loss"] if isinstance(loss, dict) else loss


def transformers(loss_fn: Callable[..., Any] | None = None, **options: Any) -> Any:
    """A callback of Hugging Face's ``Trainer``.

    The trainer tells its callbacks neither batches nor losses, so both are taken where the model is called: the
    model has to return its ``loss`` for a batch with labels.

    Parameters
    ----------
    loss_fn
        ``loss_fn(model, batch)`` of a batch as a dictionary; by default ``model(**batch).loss``.
    options
        Those of `Monitor`.
    """
    hf = _module("transformers")
    from .monitor import Monitor

    class EigenstepCallback(hf.TrainerCallback):
        monitor: Monitor | None = None

        def on_train_begin(self, args: Any, state: Any, control: Any, **parts: Any) -> None:
            model = parts["model"]
            self.monitor = Monitor(model, loss_fn or _own_loss, parts["optimizer"], **options)
            self._seen: list[tuple[Any, Any]] = []
            self._is_training = False
            self._handle = model.register_forward_hook(self._called, with_kwargs=True)

        def _called(self, model: Any, args: Any, kwargs: Any, output: Any) -> None:
            loss = output.get("loss") if isinstance(output, dict) else None
            # Neither the monitor's own calls, nor an evaluation's.
            if self._is_training and model.training and loss is not None:
                self._seen.append((kwargs, loss.detach()))

        def on_step_begin(self, args: Any, state: Any, control: Any, **parts: Any) -> None:
            self._seen, self._is_training = [], True

        def on_step_end(self, args: Any, state: Any, control: Any, **parts: Any) -> None:
            self._is_training = False
            if self.monitor is not None and self._seen:
                loss = sum(loss for _, loss in self._seen) / len(self._seen)
                self.monitor.step(self._seen[0][0], loss)

        def on_train_end(self, args: Any, state: Any, control: Any, **parts: Any) -> None:
            self._handle.remove()
            if self.monitor is not None:
                self.monitor.close()

    return EigenstepCallback()


def _own_loss(model: Any, batch: Any) -> Any:
    return model(**batch).loss
