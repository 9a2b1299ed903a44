"""`wf.check`, which tests whether a network can learn at all."""

from __future__ import annotations

import textwrap
import time
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from wellfit.base.arguments import named
from wellfit.base.serialize import Record
from wellfit.base.typing import Json
from wellfit.checking import depth, fitting, gradients, noise, outputs, parameters, penalty, rows, scales
from wellfit.checking.given import Network, trial_of
from wellfit.checking.keeping import kept
from wellfit.checking.trial import FAILURES, Trial
from wellfit.diagnosis.catalogue.entry import WIDTH
from wellfit.diagnosis.findings import Finding, counted, finding, findings_frame

CHECKS: Mapping[str, Callable[[Trial], Finding]] = {
    "WF501": outputs.loss_at_start,
    "WF502": outputs.outputs_fit_loss,
    "WF503": parameters.untrained,
    "WF504": parameters.shared_unawares,
    "WF505": rows.mixed_rows,
    "WF506": rows.row_alone,
    "WF507": fitting.small_batch,
    "WF508": fitting.inputs_matter,
    "WF509": noise.repeats_itself,
    "WF510": noise.has_noise,
    "WF511": gradients.right_gradients,
    "WF512": penalty.penalty_counts_once,
    "WF513": penalty.decay_spares,
    "WF514": depth.symmetric_units,
    "WF515": depth.through_depth,
    "WF516": depth.dead_units,
    "WF517": scales.normalized_inputs,
    "WF518": scales.dev_scaled_alike,
}
CAUSES = (
    *("WF505", "WF517", "WF502", "WF516", "WF514", "WF504", "WF515", "WF508", "WF503", "WF501"),
    *("WF512", "WF511", "WF513", "WF509", "WF510", "WF506", "WF518", "WF507"),
)
"""Codes in the order in which one explains another: fix the first finding that fired, and check again."""


@dataclass(frozen=True)
class Check(Record):
    """The result of `wf.check`: all findings, and the time that the checks took."""

    findings: tuple[Finding, ...]
    seconds: float

    def __repr__(self) -> str:
        return f"Check({counted(self.findings)}, in {self.seconds:.1f} s)"

    def to_frame(self) -> Any:
        """Return the findings as an Arrow table: code, title, status, evidence, remedy."""
        return findings_frame(self.findings)

    @property
    def fired(self) -> tuple[Finding, ...]:
        """The findings that fired, the likely cause of the others first."""
        known = {found.code: found for found in self.findings if found.status == "fired"}
        return tuple(known[code] for code in CAUSES if code in known)

    @property
    def leading(self) -> Finding | None:
        """The finding to fix first; None if nothing fired."""
        return self.fired[0] if self.fired else None

    def to_json(self) -> Json:
        """Return the object that `wellfit check --json` prints."""
        return {"schema": 1, **super().to_json()}

    def __str__(self) -> str:
        passed = [found.code for found in self.findings if found.status == "passed"]
        unknown = [found for found in self.findings if found.status == "not applicable"]
        if self.fired:
            first = self.fired[0]
            head = (
                f"{len(self.fired)} of {len(self.findings)} checks fired. Fix this one first: {first.code} "
                f"{first.title}."
            )
        else:
            head = f"Nothing was found that would keep this network from learning ({len(passed)} checks passed)."
        lines = [head]
        for found in self.fired:
            lines += ["", f"{found.code} {found.title}", *_indented(found.evidence), *_indented(f"Do: {found.remedy}")]
        lines += ["", f"Passed: {', '.join(passed) or 'none'}."]
        lines += [f"Cannot tell: {found.code} {found.title}. {found.evidence}" for found in unknown]
        return "\n".join(lines)


def _indented(text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent="  ", subsequent_indent="  ", break_long_words=False)


@named
def check(
    network: Network,
    X: Any,
    y: Any,
    *,
    loss: Callable[..., Any] | None = None,
    optimizer: torch.optim.Optimizer | None = None,
    dev: Any = None,
    seed: int = 0,
) -> Check:
    """Check a network, its loss and its optimizer on a few rows, before anything is trained.

        print(wf.check(make_net, X, y))
        print(wf.check(net, X, y, loss=loss, optimizer=optimizer, dev=(X_dev, y_dev)))

    Network, buffers, optimizer, `requires_grad` and random generators are restored afterwards.

    Args:
        network: an `nn.Module`, a factory `make_net(inputs, outputs)`, or a pair (module, loss).
        X: rows as the module takes them, an array or tensor [rows, ...].
        y: the targets as the loss takes them; strings become classes.
        loss: a function of outputs and targets; by default cross-entropy, or squared error for real targets.
        optimizer: your own optimizer; it is inspected, and only a copy of it makes steps.
        dev: dev rows, or (rows, targets), to check whether they are scaled like train.
        seed: determines the rows that are used, and the initial weights of a factory's network.

    Raises:
        BadInput: if the network, the rows and the loss do not fit together at all.
    """
    return check_codes(CHECKS, network, X, y, loss=loss, optimizer=optimizer, dev=dev, seed=seed)


def check_codes(  # noqa: PLR0917 - the arguments of `check`
    codes: Iterable[str],
    network: Network,
    rows_given: Any,
    target: Any,
    *,
    loss: Callable[..., Any] | None = None,
    optimizer: torch.optim.Optimizer | None = None,
    dev: Any = None,
    seed: int = 0,
) -> Check:
    """Run the checks with the given codes; see `check`."""
    started = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's, about the checks themselves; everything important is a finding
        trial = trial_of(network, rows_given, target, loss=loss, optimizer=optimizer, dev=dev, seed=seed)
        findings = tuple(_found(code, trial) for code in codes)
    return Check(findings, round(time.perf_counter() - started, 3))


def _found(code: str, trial: Trial) -> Finding:
    """Run one check on copies; if the network raises an exception, the check stays undecided."""
    with kept(*trial.roots), _one_thread():
        try:
            return CHECKS[code](trial)
        except FAILURES as error:
            told = (str(error).strip().splitlines() or [""])[0]
            return finding(code, fired=None, evidence=f"Not checked: {type(error).__name__}: {told}")


class _one_thread:  # noqa: N801 - a context manager, read as a word
    """Limit torch to one thread, because next to another busy process two threads wait for each other."""

    def __enter__(self) -> None:
        self._before = torch.get_num_threads()
        torch.set_num_threads(1)

    def __exit__(self, *_: object) -> None:
        torch.set_num_threads(self._before)
