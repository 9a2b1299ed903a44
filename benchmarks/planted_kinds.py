"""Planted faults in other kinds of tables: three classes, values to regress on, categories and gaps.

As `planted.py`, with the same verdicts; the generators differ in what the target is and in what the columns hold. The
optimal error (or RMSE) of each is known. `--generators`, `--faults`, `--sizes` and `--seeds` draw other cases.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
from scipy import special
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

import wellfit as wf
from planted import PARTS, Place, judge, verdict
from wellfit.base.typing import Floats, Integers

Scores = Callable[[Floats], Floats]
NOISE = 0.5  # standard deviation of the values around their mean
LEVELS = 6
GAPS = 0.15


@dataclass(frozen=True)
class Kind:
    """A generator: [rows, 10] standard normal values -> log-odds [rows, classes], or the mean [rows] to regress on."""

    name: str
    scores: Scores
    classes: int = 0
    mixed: bool = False
    """Whether the table has categories and gaps (in columns that decide nothing)."""

    def target(self, scores: Floats, rng: np.random.Generator) -> Integers | Floats:
        """Draw the target [rows]."""
        if self.classes:
            return np.asarray((scores + rng.gumbel(size=scores.shape)).argmax(axis=1))
        return scores + NOISE * rng.normal(size=scores.shape)

    def told(self, scores: Floats) -> Floats:
        """The best prediction."""
        return special.softmax(scores, axis=1) if self.classes else scores

    def wrong(self, told: Floats) -> Floats:
        """A prediction that is surely bad: the next class, or a value three standard deviations of the noise away."""
        return np.roll(told, 1, axis=1) if self.classes else told + 3 * NOISE

    def optimum(self) -> float:
        """Error (or RMSE) of the best prediction."""
        if not self.classes:
            return NOISE
        scores = self.scores(np.random.default_rng(12345).normal(size=(400_000, 10)))
        return float(1 - special.softmax(scores, axis=1).max(axis=1).mean())

    def table(self, values: Floats, rng: np.random.Generator) -> pa.Table:
        """The columns as a user has them."""
        columns: dict[str, Any] = {f"x{place}": values[:, place] for place in range(10)}
        if self.mixed:
            edges = np.linspace(-1.5, 1.5, LEVELS - 1)
            columns["x4"] = np.array([f"level {code}" for code in np.searchsorted(edges, values[:, 4])])
            for name in ("x5", "x6"):
                columns[name] = pa.array(columns[name], mask=rng.random(len(values)) < GAPS)
        return pa.table(columns)


def _columns(*scores: Scores) -> Scores:
    return lambda x: np.column_stack([each(x) for each in scores])


def _steps(x: Floats) -> Floats:
    """A category of six levels decides, not in the order of its levels."""
    effect = np.array([3.0, -4.0, 5.0, -3.0, 4.0, -5.0])
    return effect[np.searchsorted(np.linspace(-1.5, 1.5, LEVELS - 1), x[:, 4])] + 2 * x[:, 0]


KINDS = (
    Kind("three classes", _columns(lambda x: 6 * x[:, 0], lambda x: 6 * x[:, 1], lambda x: 6 * x[:, 2] + 1), 3),
    Kind(
        "five classes", _columns(*(lambda x, at=at: -6 * np.abs(x[:, 0] + x[:, 1] - at) for at in (-3, -1, 0, 1, 3))), 5
    ),
    Kind("levels and gaps", _columns(lambda x: 0 * x[:, 0], _steps), 2, mixed=True),
    Kind("line", lambda x: 2 * x[:, 0] + x[:, 1] - x[:, 2]),
    Kind("product of two", lambda x: 2 * x[:, 0] * x[:, 1]),
    Kind("values with levels and gaps", _steps, mixed=True),
)


@dataclass
class Case:
    """What is drawn, and then spoiled."""

    kind: Kind
    rows: int
    rng: np.random.Generator
    values: dict[str, Floats] = field(default_factory=dict)
    target: dict[str, Any] = field(default_factory=dict)
    told: dict[str, Floats] = field(default_factory=dict)
    groups: dict[str, Integers] | None = None

    def draw(self, part: str, values: Floats, scores: Floats | None = None) -> None:
        """Rows of the generator (or of other scores), predicted by the best rule."""
        known = self.kind.scores(values)
        self.values[part] = values
        self.target[part] = self.kind.target(known if scores is None else scores, self.rng)
        self.told[part] = self.kind.told(known)

    def fresh(self, rows: int | None = None) -> Floats:
        """[rows, 10] standard normal values."""
        return self.rng.normal(size=(rows or self.rows, 10))

    def refit(self, *, depth: int | None, columns: slice) -> None:
        """Predictions of a tree that is trained on the training rows."""
        make = DecisionTreeClassifier if self.kind.classes else DecisionTreeRegressor
        tree = make(max_depth=depth, random_state=0).fit(self.values["train"][:, columns], self.target["train"])
        for part in PARTS:
            if self.kind.classes:
                self.told[part] = np.zeros((self.rows, self.kind.classes))
                self.told[part][:, tree.classes_] = tree.predict_proba(self.values[part][:, columns])
            else:
                self.told[part] = tree.predict(self.values[part][:, columns])


def nothing(case: Case) -> None:
    """Every part from one distribution, predicted by the best rule."""
    for part in PARTS:
        case.draw(part, case.fresh())


def high_bias(case: Case) -> None:
    """A stump on a column that decides nothing."""
    nothing(case)
    case.refit(depth=1, columns=slice(8, 10))


def high_variance(case: Case) -> None:
    """A tree that learns the training rows by heart."""
    nothing(case)
    case.refit(depth=None, columns=slice(0, 10))


def covariate_shift(case: Case) -> None:
    """Dev comes from where train hardly has rows, and where the rule was never right."""
    nothing(case)
    moved = case.fresh()
    moved[:, 8] += 2
    case.draw("dev", moved)
    for part in PARTS:
        far = case.values[part][:, 8] > 2.2
        case.told[part][far] = case.kind.wrong(case.told[part])[far]


def concept_shift(case: Case) -> None:
    """The same inputs, but on dev a third of them mean something else."""
    nothing(case)
    values = case.fresh()
    scores = case.kind.scores(values)
    other = np.roll(scores, 1, axis=1) if case.kind.classes else scores + 3 * NOISE
    turned = values[:, 3] > 0.43
    case.draw("dev", values, np.where(turned[:, None] if case.kind.classes else turned, other, scores))


def copies(case: Case) -> None:
    """A fifth of the dev rows are training rows, and the model learnt these by heart."""
    high_variance(case)
    chosen = case.rng.integers(0, case.rows, case.rows // 5)
    for arrays in (case.values, case.target, case.told):
        arrays["dev"][: len(chosen)] = arrays["train"][chosen]


def given_away(case: Case) -> None:
    """A column that is the target but for noise, and the model uses it."""
    nothing(case)
    for part in PARTS:
        spread = 0.1 if case.kind.classes else 0.02
        known = case.target[part] + spread * case.rng.normal(size=case.rows)
        case.values[part][:, 7] = known
        if case.kind.classes:
            case.told[part] = np.eye(case.kind.classes)[np.clip(np.rint(known), 0, case.kind.classes - 1).astype(int)]
        else:
            case.told[part] = known


def shared_groups(case: Case) -> None:
    """Rows of a person are all but alike, persons are in train and in dev, and the model knows the persons."""
    persons = case.fresh(max(case.rows // 6, 20))
    label = case.kind.target(case.kind.scores(persons), case.rng)
    case.groups = {part: case.rng.integers(0, len(persons), case.rows) for part in PARTS}
    for part in PARTS:
        of = case.groups[part]
        case.values[part] = persons[of] + case.rng.normal(0, 0.05, (case.rows, 10))
        case.target[part] = label[of]
        case.told[part] = np.eye(case.kind.classes)[label[of]] if case.kind.classes else label[of] + 0.01


FAULTS: dict[str, tuple[Callable[[Case], None], frozenset[str]]] = {
    "nothing wrong": (nothing, frozenset()),
    "high bias": (high_bias, frozenset({"bias"})),
    "high variance": (high_variance, frozenset({"variance"})),
    "mismatch by covariate": (covariate_shift, frozenset({"mismatch"})),
    "mismatch by concept": (concept_shift, frozenset({"mismatch"})),
    "leakage by duplicates": (copies, frozenset({"copies"})),
    "leakage by target": (given_away, frozenset({"target"})),
    "leakage by group": (shared_groups, frozenset({"groups"})),
}


def verdict_of(at: Place) -> tuple[str, str]:
    """("right", "wrong" or "cannot tell", what was said first) of one case."""
    return verdict(diagnosed(at), FAULTS[at[1]][1])


def diagnosed(at: Place) -> wf.Diagnosis:
    """Plant one case and diagnose it as a user would."""
    name, fault, rows, seed = at
    kind = next(each for each in KINDS if each.name == name)
    place = [*FAULTS].index(fault), [each.name for each in KINDS].index(name)
    case = Case(kind, rows, np.random.default_rng([seed, rows, *place]))
    FAULTS[fault][0](case)
    parts = ("train", "train_dev", "dev")
    return wf.diagnose_predictions(
        **{part: (case.target[part], case.told[part]) for part in parts},
        features={part: kind.table(case.values[part], case.rng) for part in parts},
        groups=case.groups,
        goal="error" if kind.classes else "rmse",
        human_error=kind.optimum(),
        tolerance=0.02 if kind.classes else 0.1 * NOISE**2,
    )


def main() -> None:
    judge(
        "planted_kinds", __doc__, generators=[each.name for each in KINDS], faults=list(FAULTS), verdict_of=verdict_of
    )


if __name__ == "__main__":
    main()
