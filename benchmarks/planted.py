"""Planted faults: is the first thing that `diagnose` says the fault that is there?

A case is a generator (what the classes depend on, with a known optimal error), a fault and a number of rows. Train,
train-dev, dev and test are drawn, the fault is planted, and the predictions go through `wf.diagnose_predictions` with
the features, as a user's would. The leading verdict is `Diagnosis.leading`. It is right when it names the fault,
wrong when it names another one, and otherwise it could not tell (or saw nothing).

`--generators`, `--faults`, `--sizes` and `--seeds` draw other cases; the printed table is Markdown.
"""

from __future__ import annotations

import os
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import product

import numpy as np
import pyarrow as pa
from scipy import special
from sklearn.tree import DecisionTreeClassifier

import wellfit as wf
from report import Row, finish, markdown, parser_of, share_row
from wellfit.base.typing import Floats, Integers

SIZES = (300, 2_000, 8_000)
"""Rows of each of train, train-dev, dev and test."""
MOST_WRONG = 0.02
LEAST_RIGHT = 0.85
VERDICTS = ("right", "cannot tell", "wrong")
PARTS = ("train", "train_dev", "dev", "test")
FAMILIES = {
    **dict.fromkeys(("WF203", "WF205"), "copies"),
    "WF206": "target",
    "WF207": "groups",
    "WF209": "labels",
    **dict.fromkeys(("WF401", "WF403", "WF107"), "dev"),
    "WF101": "bias",
    "WF102": "variance",
    "WF301": "mismatch",
    "WF108": "bias",
    "WF111": "bias",
    "WF109": "variance",
}

Logits = Callable[[Floats], Floats]
Place = tuple[str, str, int, int]
"""Generator, fault, rows, seed."""


@dataclass(frozen=True)
class Generator:
    """Ten columns of which some decide between two classes; every one has rows that are all but certain."""

    name: str
    logits: Logits
    """[rows, 10] standard normal values -> [rows] log-odds of class 1."""


GENERATORS = (
    Generator("plane", lambda x: 4 * (x[:, 0] + 0.6 * x[:, 1] - 0.4 * x[:, 2])),
    Generator("product", lambda x: 6 * x[:, 0] * x[:, 1]),
    Generator("ring", lambda x: 3 * (x[:, 0] ** 2 + x[:, 1] ** 2 - 1.4)),
    Generator("wave", lambda x: 5 * np.sin(2 * x[:, 0]) + 2 * x[:, 1]),
    Generator("many", lambda x: 5 * x[:, :7] @ np.full(7, 7**-0.5)),
    Generator("switch", lambda x: 5 * np.where(x[:, 0] > 0, x[:, 1], -x[:, 2])),
    Generator("bumps", lambda x: 7 * (np.exp(-((x[:, 0] - 1) ** 2)) + np.exp(-((x[:, 0] + 1) ** 2)) - 0.95) + x[:, 1]),
    Generator("largest", lambda x: 4 * (np.maximum(x[:, 0], x[:, 1]) - 0.55)),
    Generator("rare", lambda x: 5 * (x[:, 0] + 0.5 * x[:, 1] - 1.0)),
)


@dataclass
class Case:
    """What is drawn, and then spoiled."""

    generator: Generator
    rows: int
    rng: np.random.Generator
    features: dict[str, Floats] = field(default_factory=dict)
    target: dict[str, Integers] = field(default_factory=dict)
    told: dict[str, Floats] = field(default_factory=dict)
    groups: dict[str, Integers] | None = None
    with_test: bool = False
    with_train_dev: bool = True

    def draw(self, part: str, values: Floats, logits: Floats | None = None) -> None:
        """Rows with a target of the generator (or of other log-odds), predicted by the generator's own rule."""
        known = self.generator.logits(values)
        self.features[part] = values
        self.target[part] = (self.rng.random(len(values)) < special.expit(known if logits is None else logits)) * 1
        self.told[part] = special.expit(known)

    def values(self, rows: int | None = None) -> Floats:
        """[rows, 10] fresh standard normal values."""
        return self.rng.normal(size=(rows or self.rows, 10))


def optimal_error(generator: Generator) -> float:
    """Error of the generator's rule, by drawing 400,000 rows."""
    logits = generator.logits(np.random.default_rng(12345).normal(size=(400_000, 10)))
    return float(special.expit(-np.abs(logits)).mean())


def nothing(case: Case) -> None:
    """Every part from one distribution, predicted by the best rule."""
    for part in PARTS:
        case.draw(part, case.values())


def high_bias(case: Case) -> None:
    """A stump on a column that decides nothing."""
    nothing(case)
    _refit(case, DecisionTreeClassifier(max_depth=1, random_state=0), columns=slice(8, 10))


def high_variance(case: Case) -> None:
    """A tree that learns the training rows by heart."""
    nothing(case)
    _refit(case, DecisionTreeClassifier(random_state=0), columns=slice(0, 10))


def both(case: Case) -> None:
    """A constant on half of the rows, a tree that learns by heart on the other half."""
    nothing(case)
    majority = float(case.target["train"].mean())
    learnt = {part: case.features[part][:, 9] > 0 for part in PARTS}
    tree = DecisionTreeClassifier(random_state=0)
    tree.fit(case.features["train"][learnt["train"]], case.target["train"][learnt["train"]])
    for part in PARTS:
        by_heart = tree.predict_proba(case.features[part])[:, 1]
        # Where the classes are far from even, always the rarer one: a constant that is surely bad.
        constant = 1 - round(majority) if abs(majority - 0.5) > 0.1 else majority
        case.told[part] = np.where(learnt[part], by_heart, constant)


def covariate_shift(case: Case) -> None:
    """Dev comes from where train hardly has rows, and where the rule was never right."""
    nothing(case)
    moved = case.values()
    moved[:, 8] += 2
    case.draw("dev", moved)
    for part in PARTS:
        far = case.features[part][:, 8] > 2.2
        case.told[part] = np.where(far, 1 - case.told[part], case.told[part])


def label_shift(case: Case) -> None:
    """Class 1 is rare in train and frequent on dev; the rule was made for the former, and errs on class 1."""
    for part in PARTS:
        values = case.values(12 * case.rows)
        wanted = 0.7 if part == "dev" else 0.1
        target = (case.rng.random(len(values)) < special.expit(case.generator.logits(values))) * 1
        ones = round(wanted * case.rows)
        kept = [np.flatnonzero(target == label)[:count] for label, count in ((1, ones), (0, case.rows - ones))]
        order = case.rng.permutation(np.concatenate(kept))
        share = target.mean()
        prior = special.logit(0.1) - special.logit(share)
        case.features[part], case.target[part] = values[order], target[order]
        case.told[part] = special.expit(case.generator.logits(values[order]) + prior)


def concept_shift(case: Case) -> None:
    """The same inputs, but on dev a third of them mean the opposite."""
    nothing(case)
    values = case.values()
    logits = case.generator.logits(values)
    case.draw("dev", values, np.where(values[:, 1] > 0.43, -logits, logits))


def copies(case: Case) -> None:
    """A fifth of the dev rows are training rows, and the model learnt these by heart."""
    high_variance(case)
    chosen = case.rng.integers(0, case.rows, case.rows // 5)
    for values in (case.features, case.target, case.told):
        values["dev"][: len(chosen)] = values["train"][chosen]


def given_away(case: Case) -> None:
    """A column that is the target but for noise, and the model uses it."""
    nothing(case)
    for part in PARTS:
        sign = 2 * case.target[part] - 1
        case.features[part][:, 7] = sign + case.rng.normal(0, 0.3, case.rows)
        case.told[part] = special.expit(10 * case.features[part][:, 7])


def shared_groups(case: Case) -> None:
    """Rows of a person are all but alike, persons are in train and in dev, and the model knows the persons."""
    persons = case.values(max(case.rows // 6, 20))
    logits = case.generator.logits(persons)
    label = (case.rng.random(len(persons)) < special.expit(logits)) * 1
    case.groups = {part: case.rng.integers(0, len(persons), case.rows) for part in PARTS}
    for part in PARTS:
        of = case.groups[part]
        case.features[part] = persons[of] + case.rng.normal(0, 0.05, (case.rows, 10))
        case.target[part] = label[of]
        case.told[part] = np.where(label[of] == 1, 0.9, 0.1)


def wrong_labels(rate: float) -> Callable[[Case], None]:
    """So many labels of every part are the other class; the reference is a person's error on right labels."""

    def plant(case: Case) -> None:
        nothing(case)
        for part in PARTS:
            wrong = case.rng.random(case.rows) < rate
            case.target[part] = np.where(wrong, 1 - case.target[part], case.target[part])

    return plant


def overused_dev(case: Case) -> None:
    """Of 2,000 variants the better half on dev are joined by majority: dev is learnt through its scores alone.

    A variant draws each label with the rule's own probability, so that all variants are equally good on fresh rows. The
    half of the rows are a coin: what is certain cannot be chosen.
    """
    steep = case.generator.logits
    case.generator = replace(case.generator, logits=lambda x: np.where(x[:, 9] > 0, 0.0, steep(x)))
    nothing(case)
    truth, sure = case.target["dev"], case.told["dev"]
    votes = np.zeros(case.rows)
    for _ in range(20):
        said = case.rng.random((100, case.rows)) < sure
        right = (said == truth).mean(axis=1)
        votes += (2 * said[right > np.median(right)].astype(int) - 1).sum(axis=0)
    case.told["dev"] = np.where(votes > 0, np.maximum(sure, 0.51), np.minimum(sure, 0.49))
    case.with_test, case.with_train_dev = True, False


FAULTS: dict[str, tuple[Callable[[Case], None], frozenset[str]]] = {
    "nothing wrong": (nothing, frozenset()),
    "high bias": (high_bias, frozenset({"bias"})),
    "high variance": (high_variance, frozenset({"variance"})),
    "both, in two regions": (both, frozenset({"bias", "variance"})),
    "mismatch by covariate": (covariate_shift, frozenset({"mismatch"})),
    "mismatch by label": (label_shift, frozenset({"mismatch"})),
    "mismatch by concept": (concept_shift, frozenset({"mismatch"})),
    "leakage by duplicates": (copies, frozenset({"copies"})),
    "leakage by target": (given_away, frozenset({"target"})),
    "leakage by group": (shared_groups, frozenset({"groups"})),
    "label noise .05": (wrong_labels(0.05), frozenset({"labels"})),
    "label noise .1": (wrong_labels(0.1), frozenset({"labels"})),
    "label noise .2": (wrong_labels(0.2), frozenset({"labels"})),
    "overused dev": (overused_dev, frozenset({"dev"})),
}


def verdict_of(at: Place) -> tuple[str, str]:
    """("right", "wrong" or "cannot tell", what was said first) of one case."""
    return verdict(diagnosed(at), FAULTS[at[1]][1])


def verdict(found: wf.Diagnosis, expected: frozenset[str]) -> tuple[str, str]:
    """The same of a diagnosis and the families of what was planted."""
    said = {FAMILIES[each.code] for each in found.leading if each.code in FAMILIES}
    told = " and ".join(each.code for each in found.leading) or "nothing"
    if not expected:
        return ("right" if not said else "wrong"), told
    if not said:
        return "cannot tell", told
    return ("right" if expected <= said else "cannot tell" if said < expected else "wrong"), told


def diagnosed(at: Place) -> wf.Diagnosis:
    """Plant one case and diagnose it as a user would."""
    generator, fault, rows, seed = at
    made = next(each for each in GENERATORS if each.name == generator)
    place = [*FAULTS].index(fault), [each.name for each in GENERATORS].index(generator)
    case = Case(made, rows, np.random.default_rng([seed, rows, *place]))
    FAULTS[fault][0](case)
    parts = ["train", "dev"] + ["train_dev"] * case.with_train_dev + ["test"] * case.with_test
    pairs = {part: (case.target[part], np.column_stack([1 - case.told[part], case.told[part]])) for part in parts}
    tables = {
        part: pa.table({f"x{place}": case.features[part][:, place] for place in range(10)})
        for part in parts
        if part != "test"
    }
    return wf.diagnose_predictions(
        **pairs,
        features=tables,
        groups=case.groups,
        goal="error",
        human_error=optimal_error(case.generator),
        tolerance=0.02,
    )


def _refit(case: Case, model: DecisionTreeClassifier, *, columns: slice) -> None:
    """Predictions of a model that is trained on the training rows."""
    model.fit(case.features["train"][:, columns], case.target["train"])
    for part in PARTS:
        case.told[part] = model.predict_proba(case.features[part][:, columns])[:, 1]


def main() -> None:
    generators = [each.name for each in GENERATORS]
    judge("planted", __doc__, generators=generators, faults=list(FAULTS), verdict_of=verdict_of)


def judge(
    name: str,
    description: str | None,
    *,
    generators: list[str],
    faults: list[str],
    verdict_of: Callable[[Place], tuple[str, str]],
) -> None:
    """Read what to draw, give a verdict on every case, print the table, and exit with 1 where a target is missed."""
    parser = parser_of(description)
    parser.add_argument("--generators", nargs="+", default=generators)
    parser.add_argument("--faults", nargs="+", default=faults)
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES))
    parser.add_argument("--workers", type=int, default=2)
    parser.set_defaults(seeds=[0])
    asked = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    drawn = asked.generators[:2] if asked.quick else asked.generators
    cases = list(product(drawn, asked.faults, asked.sizes, asked.seeds))
    with ProcessPoolExecutor(asked.workers) as pool:
        found = list(pool.map(verdict_of, cases, chunksize=4))
    for case, (verdict, told) in zip(cases, found, strict=True):
        if verdict != "right" and (verdict == "wrong" or case[2] in asked.sizes[1:]):
            print(f"{verdict}: {case} said {told}", file=sys.stderr)
    verdicts = {case: verdict for case, (verdict, _) in zip(cases, found, strict=True)}
    cells = cells_of(verdicts, sizes=asked.sizes)
    finish(
        name, totals(verdicts, asked.sizes, quick=asked.quick), as_json=asked.json, cells=cells, table=table_of(cells)
    )


def cells_of(verdicts: Mapping[Place, str], *, sizes: Sequence[int]) -> list[Row]:
    """Return a row for each fault and size: the share of right verdicts, and how often each verdict came."""
    cells = []
    for fault in dict.fromkeys(fault for _, fault, _, _ in verdicts):
        for rows in sizes:
            counts = Counter(verdict for case, verdict in verdicts.items() if case[1:3] == (fault, rows))
            note = " / ".join(str(counts[verdict]) for verdict in VERDICTS)
            cells.append(Row(f"{fault}, {rows:,} rows", counts["right"] / counts.total(), note=note))
    return cells


def table_of(cells: Sequence[Row]) -> str:
    """Return the counts as a Markdown table: a line for each fault, a column for each size."""
    lines: dict[str, list[str]] = defaultdict(list)
    sizes = dict.fromkeys(cell.case.rsplit(", ", 1)[1] for cell in cells)
    for cell in cells:
        lines[cell.case.rsplit(", ", 1)[0]].append(cell.note)
    return (
        f"{' / '.join(VERDICTS)}:\n\n{markdown(['fault', *sizes], [[fault, *told] for fault, told in lines.items()])}"
    )


def totals(verdicts: Mapping[Place, str], sizes: Sequence[int], *, quick: bool) -> list[Row]:
    """Return the share of wrong verdicts, and the share of right ones beyond the smallest size."""
    wrong = [verdict == "wrong" for verdict in verdicts.values()]
    right = [verdict == "right" for case, verdict in verdicts.items() if case[2] in sizes[1:]]
    return [
        share_row("wrong", wrong, MOST_WRONG, quick=quick, at_most=True),
        share_row("right at the larger sizes", right, LEAST_RIGHT, quick=quick),
    ]


if __name__ == "__main__":
    main()
