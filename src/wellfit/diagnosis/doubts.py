"""Doubts about the numbers themselves, which must be resolved before the gaps can be interpreted.

The checks look for a model that predicts one class for every row, predicts labels that no row has, or does no better
than a constant; for a train error above the dev error; and for a few rows that account for the squared error. None of
them needs a human error.
"""

from __future__ import annotations

import numpy as np

from wellfit.diagnosis.findings import UNCHECKED, Finding, finding
from wellfit.diagnosis.gaps import Errors
from wellfit.diagnosis.rows import OpenRows, Predicted
from wellfit.records.goals import Goal, goal_named
from wellfit.records.units import Unit, plain
from wellfit.stats.differences import difference
from wellfit.stats.intervals import Estimate, grouped_mean, has_groups, mean_interval, wilson

NEARLY = 0.01  # share of the rows that may be predicted as another class where "every row" is one
MISSED = 0.2  # largest share of the rows of other classes that a model may find and still be said to miss them
BY_CHANCE = 0.05  # probability below which labels are not put down to chance
CONSTANT = 0.2  # largest share of a constant's loss that a model may take off and still be called no better
FEW_CHANGED = 30  # rows whose loss differs from that of a constant; fewer say little about unseen rows
SURE = 0.9  # two-sided level of a one-sided .05
MATERIAL = 0.25  # share of the tolerance by which dev must be below train
HALF, MANY = 0.5, 0.01  # more than one row in a hundred holds half of the squared error, even under Laplace's law
FAR = 25.0  # times the mean of the others: five standard deviations
FEWEST_ROWS = 100
_NAMED_AT_MOST = 5
_NO_CLASS = "This goal does not use predicted classes."


def one_class_predicted(*, goal: Goal, predicted: Predicted) -> Finding:
    """WF110: fires if nearly every row is predicted as one class and rows of other classes are hardly recognized."""
    if goal.reads != "labels":
        return finding("WF110", fired=None, evidence=_NO_CLASS)
    target = np.concatenate([part[0] for part in predicted.parts.values()])
    told = np.concatenate([part[1].argmax(axis=1) for part in predicted.parts.values()])
    main = int(np.bincount(told).argmax())
    others, away = target != main, told != main
    name, rows = predicted.name_of(main), len(told)
    if away.mean() > NEARLY or not others.any():
        said = f"{100 * away.mean():.1f} % of the rows are predicted as another class than {name}."
        return finding("WF110", fired=False, evidence=said)
    found = wilson(float((others & away).sum()), int(others.sum()))
    said = (
        f"{rows - int(away.sum()):,} of {rows:,} rows of {' and '.join(predicted.parts)} are predicted as {name}; "
        f"{(others & away).sum():,} of the {others.sum():,} rows of other classes are predicted differently "
        f"({100 * found.low:.0f} to {100 * found.high:.0f} %)"
    )
    if found.high > MISSED:
        return finding("WF110", fired=None, evidence=f"Cannot tell: {said}.")
    return finding("WF110", fired=True, evidence=f"{said}.{_shown_by(goal, predicted)}")


def _shown_by(goal: Goal, predicted: Predicted) -> str:
    """Name the goals that show it, with their values on dev, if this goal gives every row the same weight."""
    target, prediction = predicted.parts["dev"]
    if not goal.counts_rows or len(np.unique(target)) < prediction.shape[1]:
        return ""
    telling = [goal_named("balanced_error")]
    if not np.isin(prediction, (0.0, 1.0)).all():
        telling.append(goal_named("auc"))
    numbers = [f"--goal {each.name} is {Unit(each).show(each.loss(target, prediction))}" for each in telling]
    own = Unit(goal).show(goal.loss(target, prediction))
    return f" The {goal.noun} of {own} cannot show that; on dev {' and '.join(numbers)}."


def strange_labels(*, goal: Goal, predicted: Predicted) -> Finding:
    """WF212: fires for predicted labels that no row has, if chance can hardly explain their absence from the targets.

    The labels occur k times among the n predictions and never among the N = n targets. If they were equally frequent in
    both, the probability that none occurs among the targets would be (n / (n + N))^k.
    """
    parts = predicted.parts.values()
    if goal.task != "classification":
        return finding("WF212", fired=None, evidence=_NO_CLASS)
    told = np.concatenate([prediction.argmax(axis=1) for _, prediction in parts])
    known = (predicted.constant > 0) | np.isin(
        np.arange(len(predicted.constant)), np.concatenate([y for y, _ in parts])
    )
    counts = np.bincount(told, minlength=len(known)) * ~known
    if not counts.any():
        return finding("WF212", fired=False, evidence="Every predicted label is also the label of some row.")
    named = ", ".join(
        predicted.name_of(code) for code in np.argsort(-counts)[: min(_NAMED_AT_MOST, (counts > 0).sum())]
    )
    chance = 0.5 ** int(counts.sum())
    said = f"{counts.sum():,} of {len(told):,} rows are predicted as {named}, but no row has such a label"
    if chance > BY_CHANCE:
        return finding("WF212", fired=None, evidence=f"Cannot tell: {said}, which may be due to chance.")
    return finding("WF212", fired=True, evidence=f"{said}.")


def class_without_training_rows(*, goal: Goal, predicted: Predicted) -> Finding:
    """WF215: fires if dev has a class that does not occur in train, and chance can hardly explain this.

    If a class has k rows, the probability that all of them are among the n dev rows and not among the N training rows
    is (n / (N + n))^k. By Bonferroni, it is multiplied by the number of classes in dev.
    """
    if goal.task != "classification" or "train" not in predicted.parts:
        return finding("WF215", fired=None, evidence=_NO_CLASS if goal.task != "classification" else UNCHECKED)
    (train, _), (dev, prediction) = predicted.parts["train"], predicted.parts["dev"]
    classes, counts = np.unique(dev, return_counts=True)
    absent = ~np.isin(classes, train)
    if not absent.any():
        return finding("WF215", fired=False, evidence="Train has rows of every class that occurs in dev.")
    order = np.argsort(-counts * absent)[: min(_NAMED_AT_MOST, absent.sum())]
    named = ", ".join(f"{predicted.name_of(int(classes[place]))} ({counts[place]:,} rows of dev)" for place in order)
    rows = np.isin(dev, classes[absent])
    wrong = int((prediction[rows].argmax(axis=1) != dev[rows]).sum())
    all_wrong = int((prediction.argmax(axis=1) != dev).sum())
    said = f"Train has no rows of {named}"
    chance = len(classes) * (len(dev) / (len(train) + len(dev))) ** int(counts[absent].max())
    if chance > BY_CHANCE:
        return finding("WF215", fired=None, evidence=f"Cannot tell: {said}, which may be due to chance.")
    return finding(
        "WF215", fired=True, evidence=f"{said}; {wrong:,} of the {all_wrong:,} errors on dev are in these rows."
    )


def no_better_than_constant(*, goal: Goal, errors: Errors, predicted: Predicted) -> Finding:
    """WF111: fires if the gain over a constant is small even at its upper limit, on dev or on train, and may be zero.

    A model that is better on train has learned something; if it is no better on dev, the cause is variance.
    """
    unit, told = Unit(goal), []
    learned = errors.train.value < (1 - CONSTANT) * predicted.constant_on_train
    for part in ("dev", "train"):
        found = _over_constant(goal, predicted, part) if part in predicted.parts else None
        if found is None:
            continue
        gain, constant = found
        own = constant - gain.value
        said = (
            f"{part.capitalize()}: {unit.show(own)}; {unit.show(constant)} if every row gets the same prediction; "
            f"gain {unit.gap(gain.value, end=constant)} ({unit.gap_range(gain.low, gain.high, end=constant)})"
        )
        if gain.low <= 0 and gain.high <= CONSTANT * constant and not learned:
            return finding("WF111", fired=True, evidence=f"{said}.")
        told.append((gain.low > 0, said))
    if not told:
        return finding("WF111", fired=None, evidence="There are too few rows to compare with a constant.")
    better, said = told[0]
    return finding("WF111", fired=False if better else None, evidence=f"{said}." if better else f"Cannot tell. {said}.")


def _over_constant(goal: Goal, predicted: Predicted, part: str) -> tuple[Estimate, float] | None:
    """Return the gain over a constant with its interval and the constant's loss; None for fewer than two rows (groups).

    Losses are compared row by row; if a row's loss depends on the others, the constant's loss is a fixed number. If
    hardly any row's loss differs, the share of differing rows is assumed to be Wilson's upper limit.
    """
    target, prediction = predicted.parts[part]
    groups = predicted.groups.get(part)
    if len(target) < 2 or (groups is not None and len(np.unique(groups)) < 2):
        return None
    alike = np.broadcast_to(predicted.constant, prediction.shape)
    losses = goal.row_losses(target, alike)
    constant = float(losses.mean())
    if goal.metric.of_all_rows:
        own = goal.estimate(target, prediction, groups=groups)
        return Estimate(constant - own.value, constant - own.high, constant - own.low, own.rows), constant
    gains = losses - goal.row_losses(target, prediction)
    grouped = groups is not None and has_groups(groups)
    found = grouped_mean(gains, groups) if grouped and groups is not None else mean_interval(gains)
    changed = int(np.count_nonzero(gains))
    if changed >= FEW_CHANGED:
        return found, constant
    scale = 1.0 if goal.is_rate else float((losses**2).sum() / max(losses.sum(), np.finfo(float).tiny))
    unseen = scale * wilson(changed, len(gains)).high
    return Estimate(found.value, found.low, max(found.high, unseen), found.rows), constant


def dev_below_train(*, goal: Goal, tolerance: float, errors: Errors) -> Finding:
    """WF112: fires if dev (or train-dev) is significantly below train, treating the train error as that of a sample."""
    unit, train = Unit(goal), errors.train_sample or errors.train
    if train.is_fixed and train.rows and errors.dev.rows and not errors.dev.is_fixed:
        # The spread of the train losses is not known: dev's is used, on as many rows as train has.
        spread = errors.dev.with_rows(train.rows)
        train = Estimate(
            train.value,
            train.value - (spread.value - spread.low),
            train.value + (spread.high - spread.value),
            train.rows,
        )
    sides = {"Train-dev": errors.train_dev, "Dev": errors.dev}
    held_out = {name: side for name, side in sides.items() if side is not None}
    level = 1 - (1 - SURE) / len(held_out)
    for name, side in held_out.items():
        below = difference(train.at_level(level), side.at_level(level))
        if below.low > 0 and below.value > MATERIAL * tolerance and not side.is_fixed:
            limits = unit.gap_range(below.low, below.high, end=train.value)
            said = (
                f"{name} {unit.show(side.value)}, train {unit.show(train.value)}: {name.lower()} is better by {limits}."
            )
            return finding("WF112", fired=True, evidence=said)
    if errors.dev.is_fixed:
        return finding("WF112", fired=None, evidence="No interval could be computed for the dev error.")
    said = f"Dev {unit.show(errors.dev.value)}, train {unit.show(train.value)}: dev is not significantly better."
    return finding("WF112", fired=False, evidence=said)


def few_rows_hold_the_error(*, goal: Goal, rows: OpenRows | None = None, predicted: Predicted | None = None) -> Finding:
    """WF213: fires if at most one row in a hundred accounts for half of the squared error.

    The error is that of a model on dev or, before there is a model, that of predicting the mean on the training rows.
    """
    if goal.metric.trees_loss != "squared_error":
        return finding("WF213", fired=None, evidence=UNCHECKED)
    if predicted is not None:
        (target, prediction), where = predicted.parts["dev"], "dev"
    elif rows is not None:
        target, where = rows.train.target, "training"
        prediction = np.full(len(target), target.mean())
    else:
        return finding("WF213", fired=None, evidence=UNCHECKED)
    errors = (target - prediction) ** 2
    if len(errors) < FEWEST_ROWS or not errors.any():
        return finding("WF213", fired=None, evidence=f"This check needs {FEWEST_ROWS} rows with errors other than 0.")
    order = np.argsort(-errors, kind="stable")
    shares = np.cumsum(errors[order]) / errors.sum()
    few = int(np.searchsorted(shares, HALF)) + 1
    if few <= MANY * len(errors):  # and any others that are as far out
        few = max(few, int((errors > FAR * errors[order][few:].mean()).sum()))
    said = (
        f"{few:,} {'row' if few == 1 else 'rows'} of {len(errors):,} {where} rows "
        f"{'accounts for' if few == 1 else 'account for'} {100 * shares[few - 1]:.0f} % of the squared error"
    )
    if shares[int(MANY * len(errors)) - 1] < HALF:
        return finding("WF213", fired=False, evidence=f"{said}.")
    named = ", ".join(
        f"{place + 1} (target {plain(float(target[place]))})" for place in order[: min(few, _NAMED_AT_MOST)]
    )
    more = ", ..." if few > _NAMED_AT_MOST else ""
    return finding("WF213", fired=True, evidence=f"{said}: {'row' if few == 1 else 'rows'} {named}{more}.")
