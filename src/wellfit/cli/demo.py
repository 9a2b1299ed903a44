"""`wellfit demo`: the whole job on digits with one wrong label in ten, so that the lowest reachable error is known."""

from __future__ import annotations

import textwrap
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from wellfit.cli.session import Session
from wellfit.cli.stage import FILE, stage

if TYPE_CHECKING:
    import pyarrow as pa

    from wellfit.base.typing import Booleans
    from wellfit.experiment.experiment import Experiment
    from wellfit.records.gaps import GapName

BUDGET = "40000updates"
PARTS = {"train": 800, "dev": 498, "test": 499}
WRONG = 0.1
"""Share of the labels in each part that are replaced by another class: nobody can get below it."""
SEED = 0
PLAIN: Mapping[str, Mapping[str, Any]] = {
    "network": {"widths": [128, 128], "embedding": "none", "activation": "relu"},
    "optimization": {"epochs": 80, "batch_size": 64},
}
"""The network of the demo: large enough to memorize every wrong label."""
LESSON: Mapping[str, Mapping[str, float]] = {
    "no regularization": {},
    "λ 2,000": {"l2": 2000.0},
    "keep_prob 0.5": {"keep_prob": 0.5},
    "λ 400 and keep_prob 0.7": {"l2": 400.0, "keep_prob": 0.7},
    "too much: λ 6,000 and keep_prob 0.3": {"l2": 6000.0, "keep_prob": 0.3},
}
"""Networks that differ only in their regularization."""
WORST = 20
_WIDTH = 90


@stage(examples="\n  wellfit demo\n  wellfit demo --budget 30s --out /tmp/demo.wellfit\n")
@click.option("--budget", default=BUDGET, metavar="B", show_default=True, help="60s, 10m, 1h or 20000updates.")
@click.option(
    "--out", "-o", type=FILE, default=Path("demo.wellfit"), metavar="FOLDER", show_default=True, help="The experiment."
)
def demo(*, session: Session, budget: str, out: Path) -> None:
    """Show the whole job on pictures of digits, one in ten of which has a wrong label.

    The same as 'wellfit run' on a table of 61 numbers per picture (scikit-learn's digits). The wrong labels were chosen
    at random, one in ten of train, dev and test, so that the lowest reachable error is known: 10 %.
    """
    import wellfit as wf

    table, wrong = noisy_digits()
    with session.watching() as notify:
        experiment = wf.run(
            table,
            target="digit",
            split_on="part",
            optimal_error=WRONG,
            fixed=PLAIN,
            budget=budget,
            out=out,
            began=session.began,
            notify=notify,
            **session.seeded,
        )
        plain = session.as_json or session.events
        text = "" if plain else "\n".join(_told(experiment, wrong=wrong["dev"], began=session.began))
    session.result(experiment.to_json(), text=text)


def noisy_digits() -> tuple[pa.Table, dict[str, Booleans]]:
    """Return 1,797 pictures as a table (61 pixels that vary, part, digit), and [rows] which labels of a part are wrong.

    Exactly one label in ten of each part is changed to one of the other nine classes, all equally likely.
    """
    import numpy as np
    import pyarrow as pa
    from sklearn.datasets import load_digits

    bunch, rng = load_digits(), np.random.default_rng(SEED)
    order = rng.permutation(len(bunch.target))
    pixels, digits = bunch.data[order], bunch.target[order]
    given, wrong, start = digits.copy(), {}, 0
    for part, rows in PARTS.items():
        changed = start + rng.choice(rows, round(WRONG * rows), replace=False)
        given[changed] = (given[changed] + rng.integers(1, 10, len(changed))) % 10
        wrong[part] = given[start : start + rows] != digits[start : start + rows]
        start += rows
    varies = [place for place in range(pixels.shape[1]) if np.ptp(pixels[: PARTS["train"], place])]
    columns = {f"pixel {place // 8 + 1}:{place % 8 + 1}": pixels[:, place] for place in varies}
    parts = np.repeat(list(PARTS), list(PARTS.values()))
    return pa.table({**columns, "part": parts, "digit": given.astype(str)}), wrong


def _told(experiment: Experiment, *, wrong: Booleans, began: float) -> Iterator[str]:
    """Yield the lines of the end: what happened, the lesson in one table, and what to do next."""
    summary = experiment.summary()
    yield f"{sum(PARTS.values()):,} digits, one in ten with a wrong label: nobody can get below {_percent(WRONG)}."
    yield ""
    for said in (summary.headline, *summary.remarks[:2]):
        yield from textwrap.wrap(said, _WIDTH)
    yield ""
    yield from _table(lesson(experiment))
    yield ""
    found = most_wrong(experiment, wrong=wrong)
    yield f"Of the {WORST} dev rows with the worst predictions, {found} have a label that the demo changed."
    yield f"The test set is sealed: `wellfit unseal {experiment.path}` opens it, once."
    yield f"Everything: `wellfit show {experiment.path} --full`, or {experiment.folder.report}."
    yield f"This took {time.monotonic() - began:.0f} s."


def lesson(experiment: Experiment) -> list[tuple[str, float, float]]:
    """Return name, train error and dev error: networks with less and more regularization, and the other models."""
    import wellfit as wf

    workspace = experiment.workspace
    chosen, first = workspace.network(), experiment.summary().first
    start = chosen.config if first is None else first.outcome.config
    off = {"l2": 0.0, "keep_prob": 1.0}
    turned = {name: start.with_knobs(**{**off, **knobs}) for name, knobs in LESSON.items()}
    trained = [(name, wf.train(experiment.split, config)) for name, config in turned.items()]
    name = f"chosen: {chosen.networks} networks averaged" if chosen.networks > 1 else "chosen"
    rows = [(name, each.losses["train"], each.losses["dev"]) for name, each in [*trained, (name, chosen)]]
    kept = {entry.body["name"]: entry.body["errors"] for entry in workspace.entries("reference")}
    for model, words in (("linear", "linear model"), ("trees", "boosted trees")):
        rows.append((words, kept[model]["train"]["value"], kept[model]["dev"]["value"]))
    return rows


def most_wrong(experiment: Experiment, *, wrong: Booleans) -> int:
    """Return how many of the dev rows with the least probable labels have a wrong label."""
    import numpy as np

    workspace = experiment.workspace
    target = workspace.prepared.dev.target
    given = workspace.network().predictions["dev"][np.arange(len(target)), target]
    return int(wrong[np.argsort(given, kind="stable")[:WORST]].sum())


def _table(rows: Sequence[tuple[str, float, float]]) -> Iterator[str]:
    width = max(len(name) for name, _, _ in rows)
    yield f"{'error':{width}}   train     dev"
    for name, train, dev in rows:
        yield f"{name:{width}}  {_percent(train):>6}  {_percent(dev):>6}  {_verdict(train, dev)}".rstrip()


def _verdict(train: float, dev: float) -> str:
    """Return which gap is high, for a train and a dev error over all their rows."""
    import wellfit as wf

    found = wf.diagnose_errors(
        train=train, dev=dev, optimal_error=WRONG, train_rows=PARTS["train"], dev_rows=PARTS["dev"]
    )
    high: Mapping[GapName, str] = {"avoidable_bias": "bias is high", "variance": "variance is high"}
    return ", ".join(words for name, words in high.items() if (gap := found.gap(name)) and gap.verdict == "yes")


def _percent(rate: float) -> str:
    return f"{100 * rate:.1f}%"
