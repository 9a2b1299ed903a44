"""The comparison of two networks on the same dev rows: their paired difference, and the knobs that differ."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from wellfit.base.arguments import named
from wellfit.base.typing import Json
from wellfit.exceptions import BadInput, Refusal
from wellfit.experiment.experiment import Experiment, open_experiment
from wellfit.experiment.request import network_at
from wellfit.records.config import KnobPair, differing
from wellfit.records.goals import Goal
from wellfit.records.outcome import Outcome
from wellfit.records.units import Unit
from wellfit.stats.differences import paired_difference
from wellfit.stats.intervals import Estimate

STEP_MARK = "@"
"""PATH@2 stands for the network of step 2 in PATH."""


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """The difference between two networks; `print` shows it."""

    goal: Goal
    names: tuple[str, str]
    dev: tuple[float, float]
    """The dev losses of A and B."""
    difference: Estimate
    """Dev loss of A minus that of B on the same rows, with its 95 % interval; above 0, B is better."""
    knobs: tuple[KnobPair, ...]
    """The knobs that differ; `module` identifies the code of a user's module."""
    networks: tuple[int, int]
    """Numbers of networks that A and B average."""
    same_rows: bool
    """Whether both were trained on the same rows."""

    @property
    def better(self) -> str | None:
        """Name of the better network if the interval excludes 0; otherwise None."""
        if self.difference.low > 0:
            return self.names[1]
        return self.names[0] if self.difference.high < 0 else None

    def to_json(self) -> Json:
        """Return the object that `compare --json` prints; the difference is in the goal's loss."""
        return {
            "schema": 1,
            "goal": self.goal.name,
            "a": self.names[0],
            "b": self.names[1],
            "dev": [self.goal.score_of(value) for value in self.dev],
            "difference": self.difference.to_json(),
            "better": self.better,
            "knobs": [pair._asdict() for pair in self.knobs],
            "networks": list(self.networks),
            "same_training_rows": self.same_rows,
        }

    def __str__(self) -> str:
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        unit, gap = Unit(self.goal), self.difference
        for letter, name, value in zip("AB", self.names, self.dev, strict=True):
            yield f"{letter}  {name}: dev {unit.noun} {unit.show(value)}"
        said = f"{self.better} is better" if self.better else "There are too few rows to tell which is better"
        ends = (gap.value, gap.low, gap.high)
        apart, low, high = (unit.gap(each, end=self.dev[0], sign=True) for each in ends)
        yield f"{said}: A minus B is {apart} ({low} to {high}, paired on {gap.rows:,} dev rows)."
        if not self.same_rows:
            yield "They were trained on different rows."
        yield from (f"{pair.board}: {pair.knob} {_short(pair.a)} → {_short(pair.b)}" for pair in self.knobs)
        if not self.knobs:
            yield "No knob differs."
        if self.networks[0] != self.networks[1]:
            yield f"networks averaged {self.networks[0]} → {self.networks[1]}"


def _short(value: object) -> object:
    """Shorten a number found by a search; `--json` keeps all digits."""
    return f"{value:.4g}" if isinstance(value, float) else value


@named
def compare(a: Experiment | Path | str, b: Experiment | Path | str) -> Comparison:
    """Compare two networks on the same dev rows: the paired difference with its interval, and the knobs that differ.

    Args:
        a: an experiment, or one step of it as "PATH@STEP".
        b: the other experiment or step.

    Raises:
        Refusal: nothing was trained, or the comparison would be void because the dev rows or the goals differ.
        BadInput: there is no such step.
    """
    (first, one), (second, two) = _network(a), _network(b)
    names = (str(a.path) if isinstance(a, Experiment) else str(a), str(b.path) if isinstance(b, Experiment) else str(b))
    if first.goal != second.goal:
        raise _void(f"the goals {first.goal.name} and {second.goal.name}", "Use the same --goal for both")
    ours, theirs = first.workspace.hashes, second.workspace.hashes
    if not np.array_equal(ours["dev"], theirs["dev"]):
        remedy = "Split once and copy the experiment's folder for the second run, or branch with `wellfit run --branch`"
        raise _void(f"different dev rows in {first.path} and {second.path}", remedy)
    losses = [each.workspace.dev_losses(outcome) for each, outcome in ((first, one), (second, two))]
    return Comparison(
        goal=first.goal,
        names=names,
        dev=(one.losses["dev"], two.losses["dev"]),
        difference=paired_difference(*losses),
        knobs=tuple(pair for pair in differing(one.config, two.config) if pair.board != "augmentation"),
        networks=(one.networks, two.networks),
        same_rows=np.array_equal(ours["train"], theirs["train"]),
    )


def _network(source: Experiment | Path | str) -> tuple[Experiment, Outcome]:
    if isinstance(source, Experiment):
        return source, source.network
    path, _, step = str(source).rpartition(STEP_MARK)
    if not path or not step.isdigit() or Path(source).exists():
        experiment = open_experiment(source)
        return experiment, experiment.network
    experiment = open_experiment(path)
    body = network_at(experiment.workspace.entries(), int(step))
    outcome = experiment.workspace.outcome(str(body["config_after"]))
    if outcome is None:
        raise BadInput(
            "a network's predictions must have been kept to compare it",
            found=f"no predictions for step {step} in {path}",
            remedy="Run the experiment again to train the missing networks",
        )
    return experiment, outcome


def _void(found: str, remedy: str) -> Refusal:
    return Refusal(
        "both networks of a paired comparison must be measured on the same dev rows with the same goal",
        found=found,
        remedy=remedy,
    )
