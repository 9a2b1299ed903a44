"""Journals of experiments of every kind, drawn at random: real diagnoses and comparisons of losses drawn by row."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from typing import Any

import numpy as np
from report_cases import Line, config, estimate, split, summarize

from wellfit.base.typing import Floats, Json
from wellfit.diagnosis.dev_overuse import used_up_dev
from wellfit.diagnosis.diagnosis import Diagnosis, diagnose_errors
from wellfit.records.goals import goal_named
from wellfit.records.outcome import Status
from wellfit.reports.records import Summary
from wellfit.stats.differences import paired_difference
from wellfit.stats.intervals import Estimate

GOALS = ("error", "rmse", "auc", "log_loss", "mae", "r2", "balanced_error")
KINDS = {
    "optimization": ("bigger_network", "train_longer", "better_optimizer", "architecture"),
    "regularization": ("regularize", "augment", "search_both_boards", "ensemble", "smooth_labels", "sparsify"),
    "data": ("drop_rows", "more_data", "reweight"),
}
STOPS = ("fine", "budget", "bias", "more data", "dev used up", "reference", "rows")


@dataclass(frozen=True)
class Trained:
    """One network: its config, its losses and its diagnosis."""

    identity: str
    config: Json
    train: float
    rows: Floats
    status: str
    diagnosis: Diagnosis
    parts: tuple[Trained, ...] = ()
    """The networks that an average consists of."""

    @property
    def dev(self) -> float:
        return float(self.rows.mean())


@dataclass(frozen=True, eq=False)
class Made:
    """An experiment: its journal, and what the words about it must agree with."""

    goal: str
    lines: list[Line]
    networks: list[Trained]
    best: Trained
    path: list[int] = field(default_factory=list)
    has_reference: bool = False

    @property
    def first(self) -> Trained:
        return self.networks[0]

    @cached_property
    def summary(self) -> Summary:
        return summarize(self.lines)

    @cached_property
    def honest_gain(self) -> Estimate:
        """The paired gain, less the optimism of the choice among all networks."""
        found = paired_difference(self.first.rows, self.best.rows)
        corrected = next(each.interval for each in self.best.diagnosis.findings if each.code == "WF403")
        less = max(0.0, corrected.value - min(each.dev for each in self.networks)) if corrected else 0.0
        return Estimate(found.value - less, found.low - less, found.high - less, found.rows)


@cache
def experiment(seed: int) -> Made:
    """Draw one experiment; every goal and every ending occurs among a hundred."""
    rng = np.random.default_rng(seed)
    goal = GOALS[seed % len(GOALS)]
    rows = int(rng.choice([40, 88, 500, 3_000]))
    reference = float(rng.uniform(0, 0.1)) if rng.random() < 0.5 else None
    base, hard = rng.random(rows), rng.random(rows)
    networks: list[Trained] = []
    count = int(rng.integers(1, 6))
    for place in range(count):
        level = rng.uniform(0.05, 0.3) if place == 0 else np.mean(networks[0].rows) * rng.uniform(0.6, 1.1)
        noise = np.where(rng.random(rows) < 0.8, base, hard if place == 0 else rng.random(rows))
        networks.append(_network(rng, goal=goal, place=place, noise=noise, level=float(level), reference=reference))
    path, steps = _steps(rng, networks)
    best = networks[path[-1]] if path else networks[0]
    averaged = bool(path) and steps[path[-1] - 1].body["kind"] == "ensemble" and best.status == Status.FINISHED.value
    if averaged and len(networks) > 2:
        best = networks[path[-1]] = replace(best, parts=tuple(each for each in networks if each is not best))
    networks[networks.index(best)] = best = _judged_on_dev(best, networks)
    lines = [_split(rows), *(_training(each, rows) for each in networks), _diagnosis(networks[0], 0), *steps]
    lines += [_diagnosis(best, len(steps))] if best is not networks[0] else []
    lines.append(_candidate(networks[0], best))
    if rng.random() < 0.8:
        body = {"sentence": "The run has ended.", "stop": str(rng.choice(STOPS)), "reason": "", "best": best.identity}
        lines.append(Line("finish", {**body, "seconds": 3.0, "updates": 9}))
    lines.append(Line("session", {"command": "show", "asked": {"budget": "30s"}}))
    return Made(goal, lines, networks, best, path, has_reference=reference is not None)


def _network(
    rng: np.random.Generator, *, goal: str, place: int, noise: Floats, level: float, reference: float | None
) -> Trained:
    kind = goal_named(goal)
    losses = (noise < level).astype(float) if goal in ("error", "balanced_error") else 2 * level * noise
    if kind.is_squared:
        losses = losses * 3e6
    train = float(losses.mean() * rng.choice([0.02, 0.6, 0.97, 1.0]))
    l2, keep = (0.0, 1.0) if place == 0 else (float(rng.choice([0, 3.7, 190.55])), float(rng.choice([1, 0.75])))
    statuses = [Status.FINISHED] * 9 + [Status.OUT_OF_BUDGET]
    given: dict[str, Any] = {}
    if reference is not None:
        best = reference * (3e6 if kind.is_squared else 1)
        given = {"optimal_error": kind.score_of(best)}
    if goal == "error":
        sized: dict[str, Any] = {"dev_rows": len(losses)}
    else:
        sized = {"dev_rows": len(losses), "dev_sd": float(losses.std(ddof=1))}
    found = diagnose_errors(
        goal=goal,
        train=kind.score_of(train),
        dev=kind.score_of(float(losses.mean())),
        train_rows=2_000,
        **sized,
        **given,
    )
    widths = (64, 64) if rng.random() < 0.5 else (128, 128)
    made = config(widths, l2=l2, keep_prob=keep)
    return Trained(f"n{place}", made, train, losses, rng.choice(statuses).value, found)


def _steps(rng: np.random.Generator, networks: list[Trained]) -> tuple[list[int], list[Line]]:
    """Steps from each network to the next one, kept or dropped; the way to the best of those kept."""
    path, lines, here = [], [], 0
    for place in range(1, len(networks)):
        board = str(rng.choice(list(KINDS)))
        kept = bool(rng.random() < 0.6)
        before, after = networks[here], networks[place]
        lines.append(_step(len(lines) + 1, board, str(rng.choice(KINDS[board])), pair=(before, after), kept=kept))
        if kept:
            path.append(place)
            here = place
    return path, lines


def _step(number: int, board: str, kind: str, *, pair: tuple[Trained, Trained], kept: bool) -> Line:
    before, after = pair
    old, new = (each.config["regularization"] for each in pair)
    did = f"lambda {old['l2']:g} -> {new['l2']:g}, keep_prob {old['keep_prob']:g} -> {new['keep_prob']:g}"
    errors = [{"train": each.train, "dev": each.dev} for each in pair]
    gaps = [each.diagnosis.to_json()["gaps"] for each in pair]
    body = {
        **{"step": number, "board": board, "kind": kind, "did": f"{kind.replace('_', ' ')}: {did}", "idea": ""},
        **{"because": "variance: yes", "expected": 0.01, "expected_low": 0.0, "expected_high": 0.02},
        **{"got": before.dev - after.dev, "kept": kept, "as_expected": True, "seconds": 1.0, "updates": 5},
        **{"config_before": before.identity, "config_after": (after if kept else before).identity},
        **{"errors_before": errors[0], "errors_after": errors[1], "gaps_before": gaps[0], "gaps_after": gaps[1]},
        "coupled": kind == "search_both_boards",
    }
    return Line("step", body)


def _judged_on_dev(best: Trained, networks: list[Trained]) -> Trained:
    """The network with WF403, over all networks."""
    losses = np.stack([each.rows for each in networks])
    goal, tolerance = best.diagnosis.goal, best.diagnosis.tolerance
    told = best.diagnosis.with_findings(used_up_dev(goal=goal, tolerance=tolerance, candidates=losses))
    return replace(best, diagnosis=told)


def _split(rows: int) -> Line:
    columns = [{"name": "age", "kind": "number", "role": "feature", "note": ""}]
    schema = {"target": "income", "task": "classification", "classes": ["no", "yes"], "columns": columns}
    counts = {"train": 2_000, "train_dev": None, "dev": rows, "test": rows}
    precision = {"sentence": f"{rows} dev rows are enough to compare two networks"}
    return split(schema=schema, rows=counts, source={"path": "people.csv"}, precision=precision)


def _training(found: Trained, rows: int) -> Line:
    body = {
        **{"identity": found.identity, "config": found.config, "status": found.status, "updates": 100, "seconds": 1.0},
        **{"losses": {"train": found.train, "dev": found.dev}, "curve": [], "weight_norms": [3.0, 4.0]},
        "errors": {"train": estimate(found.train, 2_000), "dev": estimate(found.dev, rows, 0.1 * found.dev)},
        "weight_decay": found.config["regularization"]["l2"] / 2_000,
        "shrink": found.config["regularization"]["l2"] / 2e6,
    }
    if found.parts:
        body |= {"members": {each.identity: 1 / len(found.parts) for each in found.parts}, "weight_norms": []}
    return Line("ensemble" if found.parts else "training", body)


def _diagnosis(found: Trained, step: int) -> Line:
    return Line("diagnosis", {"step": step, "identity": found.identity, **found.diagnosis.to_json()})


def _candidate(first: Trained, best: Trained) -> Line:
    body = {"identity": best.identity, "by": "run", "dev": best.dev}
    if best is not first:
        body |= {"first": first.identity, "gain": paired_difference(first.rows, best.rows).to_json()}
    return Line("candidate", body)
