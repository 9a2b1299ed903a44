"""The kinds of a module's outputs and targets, which are decided once before the first update, from its loss.

Values alone do not distinguish a logit of .6 from a probability, or a count of 0 or 1 from a class, especially in a
single batch.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeAlias

import numpy as np
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode, _get_current_function_mode

from wellfit.base.typing import Floats, Integers, Task
from wellfit.diagnosis.labels import nearest
from wellfit.diagnosis.optimal_error import reference
from wellfit.diagnosis.predictions import diagnose_predictions
from wellfit.exceptions import BadInput
from wellfit.records.goals import goal_named

OutputKind = Literal["logits", "probabilities", "values"]
"""The names of kinds that a user may give."""
Pair: TypeAlias = tuple[Integers | Floats, Floats]


class Teller(Protocol):
    """A trial of a study, which is told the predictions of a fit."""

    def tell(self, **told: Any) -> None:
        """Tell train=(y, p), dev=(y, p) and, if there is one, train_dev."""


ASK = 'Give the callback outputs="logits", "probabilities" or "values"'
_SUM_SLACK = 1e-4
_KEYS = ("logits", "prediction", "predictions", "preds", "y_hat", "output", "outputs", "probabilities", "probs")
_ENDS = {"sigmoid": "sigmoid", "sigmoid_": "sigmoid", "special_expit": "sigmoid", "softmax": "softmax"}


@dataclass(frozen=True)
class Loss:
    """The comparison that a loss of torch makes: of classes in columns, of one class with the other, or of values."""

    compares: Literal["columns", "two classes", "values"]
    kind: OutputKind


_LOSSES: Mapping[str, Loss] = {
    "cross_entropy": Loss("columns", "logits"),
    # Logarithms of probabilities: their softmax gives the probabilities back.
    "nll_loss": Loss("columns", "logits"),
    "multi_margin_loss": Loss("columns", "logits"),
    "binary_cross_entropy_with_logits": Loss("two classes", "logits"),
    "binary_cross_entropy": Loss("two classes", "probabilities"),
    "soft_margin_loss": Loss("two classes", "logits"),
    **dict.fromkeys(
        ("mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss", "gaussian_nll_loss", "poisson_nll_loss"),
        Loss("values", "values"),
    ),
}


@dataclass(frozen=True)
class SeenLoss:
    """One call of a loss."""

    name: str
    outputs: Tensor
    target: Tensor
    of_logarithm: bool
    """True if it takes the logarithm of a predicted value (`poisson_nll_loss`)."""


class LossSpy(TorchFunctionMode):
    """A mode that records the losses that are computed, and the results of sigmoids and softmaxes."""

    def __init__(self) -> None:
        super().__init__()
        self.losses: list[SeenLoss] = []
        # Kept alive, so that no later tensor gets the memory of an earlier one.
        self._ends: list[tuple[str, Tensor]] = []

    def __torch_function__(
        self, func: Callable[..., Any], _types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Call `func`, and record it."""
        named = dict(kwargs or {})
        found = func(*args, **named)
        name = getattr(func, "__name__", "")
        if name in _LOSSES:
            outputs, target = (*args, *(named[key] for key in ("input", "target") if key in named))[:2]
            self.losses.append(
                SeenLoss(name, outputs, target, name == "poisson_nll_loss" and named.get("log_input", True))
            )
        elif name in _ENDS and isinstance(found, Tensor):
            self._ends.append((_ENDS[name], found))
        return found

    @property
    def is_innermost(self) -> bool:
        """Return True if no other mode was entered since then, so that this one can be left."""
        innermost: object = _get_current_function_mode()  # type: ignore[no-untyped-call]
        return innermost is self

    def enter(self) -> None:
        """Start recording, if no `with` statement can enclose the recorded code."""
        self.__enter__()  # type: ignore[no-untyped-call]

    def leave(self) -> None:
        """Stop the recording that `enter` started."""
        self.__exit__(None, None, None)  # type: ignore[no-untyped-call]

    def end_of(self, outputs: Tensor) -> str:
        """Return "sigmoid" or "softmax" if `outputs` are the result of one, perhaps reshaped, and otherwise ""."""
        place = outputs.untyped_storage().data_ptr()
        return next((end for end, found in self._ends if found.untyped_storage().data_ptr() == place), "")


@dataclass(frozen=True)
class Trial:
    """One batch before the first update, with the module's outputs and the last function that computed them."""

    target: Tensor
    returned: Any
    end: Callable[[Tensor], str] = lambda _outputs: ""


@dataclass(frozen=True)
class Reading:
    """The interpretation of a module's outputs, which is the same for all rows.

    `place` is the place of the outputs in a tuple or mapping; None if a tensor is returned.
    """

    loss: Loss
    place: int | str | None = None
    of_logarithm: bool = False
    signed: bool = False
    """True if the two classes are -1 and 1."""
    certain: bool = False
    """True if outputs are logits even if they look like probabilities, because the framework treats them as logits."""

    def outputs(self, returned: Any) -> Tensor:
        """Return the outputs from the values that a module returned."""
        found: Tensor = returned if self.place is None else returned[self.place]
        return found.detach().double().cpu()

    def check(self, trial: Trial) -> None:
        """Refuse outputs and targets of one batch that do not fit together."""
        outputs, target = self.outputs(trial.returned), trial.target
        shapes = f"outputs of shape {list(outputs.shape)} and a target of shape {list(target.shape)}"
        if self.loss.compares == "columns":
            fits = outputs.dim() == 2 and len(outputs) == len(target)
            if self.loss.kind == "probabilities" and not are_probabilities(outputs):
                raise BadInput(
                    "probabilities must be between 0 and 1 and add up to 1",
                    found=f"a row of outputs that adds up to {float(outputs.sum(dim=-1)[0]):.4g}",
                    remedy='Give outputs="logits", or return probabilities from forward',
                )
        else:
            fits = outputs.numel() == target.numel()
        if not fits:
            raise BadInput(
                "a module must return for each row the outputs for one label, or the values",
                found=shapes,
                remedy="Give the callback predict=lambda module, batch: (y, prediction)",
            )
        if self.loss.compares == "two classes" and target.dim() > 1 and target.shape[1] > 1:
            raise BadInput(
                "a diagnosis must have one label for each row",
                found=f"several labels per row, {shapes}",
                remedy="Give the callback predict=lambda module, batch: (y, prediction) of one of them",
            )
        self.pair([target], [outputs], part="train")

    def pair(self, targets: Sequence[Tensor], outputs: Sequence[Tensor], *, part: str) -> Pair:
        """Return y and the prediction for all rows of a part, from its batches."""
        if not targets:
            raise BadInput(
                f"a diagnosis must have rows of {part}", found="no batch", remedy=f"Give a loader of {part} rows"
            )
        if self.loss.compares == "columns":
            found = torch.cat([each.reshape(-1, each.shape[-1]) for each in outputs])
            target = torch.cat([_codes(each, classes=found.shape[1]) for each in targets])
            probable = self.loss.kind == "probabilities" or (not self.certain and are_probabilities(found))
            return target.numpy(), (found if probable else found.softmax(dim=1)).numpy()
        flat = torch.cat([each.reshape(-1) for each in outputs])
        if self.loss.compares == "two classes":
            target = torch.cat([_two_classes(each, signed=self.signed) for each in targets])
            second = flat if self.loss.kind == "probabilities" else flat.sigmoid()
            return target.numpy(), torch.stack([1 - second, second], dim=1).numpy()
        wide = targets[0].shape[1] if targets[0].dim() > 1 else 1
        target = torch.cat([each.detach().double().cpu().reshape(-1) for each in targets])
        values = flat.exp() if self.of_logarithm else flat
        return tuple(
            each.numpy().reshape(-1, wide).squeeze(1) if wide == 1 else each.numpy().reshape(-1, wide)
            for each in (target, values)
        )  # type: ignore[return-value]


def are_probabilities(outputs: Tensor) -> bool:
    """Return True if every row of [N, classes] contains probabilities."""
    return bool((outputs >= 0).all() and ((outputs.sum(dim=-1) - 1).abs() < _SUM_SLACK).all())


def decide(
    trial: Trial,
    *,
    losses: Sequence[SeenLoss],
    target: Tensor | None = None,
    kind: OutputKind | None = None,
    goal: str | None = None,
    certain: bool = False,
) -> Reading:
    """Determine the kinds of a module's outputs and targets.

    The user's choice takes precedence, then the loss that received the target, and then what the tensors make certain.

    Args:
        trial: one batch.
        losses: the losses that were computed for a batch of the same loop.
        target: the target of that batch, if it is a different one.
        kind: the kind of outputs according to the user.
        goal: the goal that the user chose.
        certain: whether `kind` comes from the framework, so that it holds even if the outputs look different.

    Raises:
        BadInput: if the kinds cannot be determined, or outputs and target do not fit together.
    """
    seen = _of_target(losses, trial.target if target is None else target)
    place, outputs = _picked(trial, seen)
    loss = _loss(outputs, trial, seen=seen, kind=kind, goal=goal)
    found = Reading(
        loss,
        place,
        of_logarithm=bool(seen and seen.of_logarithm and loss.compares == "values"),
        signed=bool(seen and seen.name == "soft_margin_loss"),
        certain=certain,
    )
    found.check(trial)
    return found


def _loss(outputs: Tensor, trial: Trial, *, seen: SeenLoss | None, kind: OutputKind | None, goal: str | None) -> Loss:
    target, told = trial.target, _LOSSES[seen.name] if seen else None
    task: Task | None = goal_named(goal).task if goal else None
    columns = outputs.dim() > 1 and outputs.shape[-1] > 1
    if kind == "values" or task == "regression" or (told and told.compares == "values" and kind is None and not task):
        return Loss("values", "values")
    end = trial.end(outputs)
    if columns:
        if told is None and kind is None and target.is_floating_point() and not task:
            raise _open("targets of type float with several outputs, and no torch loss that shows their kind")
        if told and told.compares == "two classes" and kind is None:
            raise BadInput(
                "a diagnosis must have one label for each row",
                found=f"{outputs.shape[-1]} outputs per row, each with a loss for two classes",
                remedy="Give the callback predict=lambda module, batch: (y, prediction) of one of them",
            )
        return Loss("columns", "probabilities" if kind == "probabilities" else "logits")
    if kind is not None or end:
        return Loss("two classes", kind or "probabilities")
    if told is None or told.compares == "values":
        if target.is_floating_point() and not task and not _is_binary(target):
            return Loss("values", "values")
        raise _open("one output for each row, a target of 0 and 1, and no loss of torch that shows their kinds")
    # The sigmoid of a binary cross entropy may be in the training step, after forward has returned.
    outside = bool(((outputs < 0) | (outputs > 1)).any())
    return Loss("two classes", "logits" if outside else told.kind)


def _picked(trial: Trial, seen: SeenLoss | None) -> tuple[int | str | None, Tensor]:
    """Return the place of the outputs among the returned values, by the loss's shape or as the first with all rows."""
    returned, rows = trial.returned, len(trial.target)
    if isinstance(returned, Tensor):
        return None, returned
    places: Iterable[Any] = ()
    if isinstance(returned, Mapping):
        places = sorted(returned, key=lambda key: _KEYS.index(key) if key in _KEYS else len(_KEYS))
    elif isinstance(returned, list | tuple):
        places = range(len(returned))
    fit = [
        place
        for place in places
        if isinstance(returned[place], Tensor) and returned[place].dim() and len(returned[place]) == rows
    ]
    alike = [place for place in fit if seen and returned[place].shape[1:] == seen.outputs.shape[1:]]
    named = [place for place in fit if place in _KEYS]
    place = next(iter(alike or named or fit), None)
    if place is None or (len(fit) > 1 and not alike and not named):
        raise BadInput(
            "a module must return its outputs as a tensor [rows, ...]",
            found=f"a {type(returned).__name__} with {len(fit)} such tensors, and no loss that shows which one is "
            "trained",
            remedy="Give the callback predict=lambda module, batch: (y, prediction)",
        )
    return place, returned[place]


def _of_target(losses: Sequence[SeenLoss], target: Tensor) -> SeenLoss | None:
    """Return the loss that uses the target itself, or otherwise the only kind of loss that there is."""
    sized = [seen for seen in losses if seen.target.numel() == target.numel()]
    for seen in sized:
        if torch.equal(seen.target.detach().reshape(-1).double().cpu(), target.reshape(-1).double().cpu()):
            return seen
    told = {_LOSSES[seen.name] for seen in losses}
    if len(told) > 1:
        raise _open(f"losses of several kinds, {', '.join(sorted({seen.name for seen in losses}))}")
    return losses[0] if losses else None


def _codes(target: Tensor, *, classes: int) -> Tensor:
    """Return class codes [N] of labels [N] or [N, 1], or of one-hot rows."""
    target = target.detach().cpu()
    if target.dim() == 2 and target.shape[1] == classes:
        if not bool(((target == 0) | (target == 1)).all() and (target.sum(dim=1) == 1).all()):
            raise BadInput(
                "the label of a row must be a single class",
                found="targets that divide a row among several classes",
                remedy="Give the callback predict=lambda module, batch: (y, prediction) with the labels themselves",
            )
        return target.argmax(dim=1)
    codes = target.reshape(-1)
    wrong = (codes < 0) | (codes >= classes) | (codes != codes.floor() if codes.is_floating_point() else False)
    if bool(wrong.any()):
        raise BadInput(
            f"labels must be whole numbers from 0 to {classes - 1}, the number of outputs minus one",
            found=f"{float(codes[wrong][0]):g}",
            remedy="Leave such rows out, or give predict=lambda module, batch: (y, prediction)",
        )
    return codes.long()


def _two_classes(target: Tensor, *, signed: bool) -> Tensor:
    codes = target.detach().cpu().reshape(-1)
    known = (codes == (-1 if signed else 0)) | (codes == 1)
    if not bool(known.all()):
        raise BadInput(
            f"labels of two classes must be {-1 if signed else 0} and 1",
            found=f"{float(codes[~known][0]):g}",
            remedy="Give the callback predict=lambda module, batch: (y, prediction) with the labels themselves",
        )
    return (codes == 1).long()


def _is_binary(target: Tensor) -> bool:
    return bool(((target == 0) | (target == 1)).all())


def _open(found: str) -> BadInput:
    return BadInput("a diagnosis must be able to tell the kind of a module's outputs", found=found, remedy=ASK)


def second_softmax(spy: LossSpy) -> tuple[str, ...]:
    """Return a note if outputs come from a function that their loss applies again."""
    twice = {"cross_entropy": "softmax", "binary_cross_entropy_with_logits": "sigmoid"}
    for seen in spy.losses:
        end = twice.get(seen.name, "")
        if end and spy.end_of(seen.outputs) == end:
            return (f"the network ends in a {end}, and {seen.name} applies another one: remove the {end} in training.",)
    return ()


def given_pairs(pairs: Iterable[tuple[Tensor, Tensor]], *, part: str) -> Pair:
    """Return y [rows] and the predictions of the user's own function for all batches; BadInput if there are none."""
    found = [
        tuple(np.asarray(each.detach().cpu() if isinstance(each, Tensor) else each) for each in pair) for pair in pairs
    ]
    if not found or any(len(pair) != 2 for pair in found):
        raise BadInput(
            f"predict must return (y, prediction) for each batch of {part}",
            found="no batch" if not found else f"{len(found[0])} values",
            remedy=f"Give a loader of {part} rows, and return two tensors",
        )
    targets, values = (np.concatenate([np.atleast_1d(each) for each in side]) for side in zip(*found, strict=True))
    return (targets[:, 0] if targets.ndim > 1 and targets.shape[1:] == (1,) else targets), values


def check_options(options: Mapping[str, Any]) -> None:
    """Refuse options that a diagnosis would refuse, before there is anything to diagnose."""
    known = inspect.signature(diagnose_predictions).parameters
    for name in options:
        if name not in known:
            raise BadInput(
                "options must be those of diagnose_predictions",
                found=repr(name),
                remedy=f"Did you mean {nearest(name, list(known))!r}?",
            )
    if options.get("goal") is not None:
        names = ("human_error", "human_rows", "optimal_error")
        reference(goal=goal_named(options["goal"]), **{name: options.get(name) for name in names})
