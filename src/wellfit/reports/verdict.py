"""The verdict on a run, for the end in a terminal and for the head of the page.

What was wrong, what earned the gain, how sure it is, what is left, and what to do next. Every sentence follows from
the paired comparison of the first network with the one that represents the experiment; a cause is named only where
its interval is above the tolerance, and nothing is said of a network whose training was cut short.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby

from wellfit.diagnosis.checks import codes_of
from wellfit.diagnosis.diagnosis import Diagnosis
from wellfit.diagnosis.gaps import TOO_CLOSE, Gap, present
from wellfit.diagnosis.prescribe import Prescribed
from wellfit.records.outcome import Status
from wellfit.records.units import Unit
from wellfit.reports.records import Diagnosed, Network, Step, Summary
from wellfit.reports.sentences import gap_text, shown
from wellfit.stats.intervals import Estimate

MOST_WORDS = 25
"""Words of a headline."""

_CAUSES = {
    (True, True): "The network was underfitting and overfitting.",
    (True, False): "The network was underfitting.",
    (False, True): "The network was overfitting.",
}
_VERBS = {
    "avoidable_bias": "underfits",
    "variance": "overfits",
    "mismatch": "meets other data on dev than in training",
    "dev_overfit": "was chosen too closely on dev",
}
_ACTIONS = {
    "bigger_network": "a bigger network",
    "train_longer": "longer training",
    "better_optimizer": "another optimizer setting",
    "architecture": "another architecture",
    "search_architecture": "another architecture",
    "regularize": "regularization",
    "more_data": "more training rows",
    "augment": "augmentation",
    "augment_toward": "augmentation toward dev",
    "average_weights": "averaged weights",
    "smooth_labels": "smoothed labels",
    "sparsify": "L1",
    "stop_early": "early stopping",
    "search_both_boards": "a search of all knobs",
    "ensemble": "an average of networks",
    "reweight": "reweighted training rows",
    "drop_rows": "dropping copied rows",
}
_SECONDS = {"s": 1, "m": 60, "h": 3600}
_NICE = (10, 20, 30, 60, 120, 180, 300, 600, 900, 1200, 1800, 3600, 7200, 14400, 28800, 86400)
"""Budgets to suggest, in seconds."""


def headline(summary: Summary) -> str:
    """At most 25 words: what was wrong, the step that earned the gain, and one pair of numbers."""
    if summary.before is None or summary.after is None:
        return _undiagnosed(summary)
    if is_cut_short(summary.best):
        return _unfinished(summary)
    if summary.before is summary.after:
        return _unchanged(summary, summary.after)
    return _changed(summary, summary.before, summary.after)


def remarks(summary: Summary) -> Iterator[str]:
    """Return the lines under the headline: how sure, what is left, who does better, what the test set said."""
    before, after = summary.before, summary.after
    if before is not None and after is not None and not is_cut_short(summary.best):
        if before is not after:
            yield from filter(None, [_certainty(summary), _flattered(summary), _price(summary, before, after)])
        yield from _left(summary, before, after)
    yield from filter(None, [rival(summary)])
    yield from _test(summary)
    if not summary.finished and not summary.openings and summary.split is not None:
        yield "This experiment has not finished. Run the same command again to continue."


def is_cut_short(network: Network | None) -> bool:
    """Return True if the budget ended the training of a network before its schedule did."""
    return network is not None and network.outcome.status is Status.OUT_OF_BUDGET


def told(summary: Summary) -> Summary:
    """Return a summary without the diagnosis of a network whose training was cut short."""
    return replace(summary, before=None, after=None) if is_cut_short(summary.best) else summary


def _undiagnosed(summary: Summary) -> str:
    best, unit = summary.best, summary.unit
    if is_cut_short(best):
        return _unfinished(summary)
    if best is not None and "dev" in best.errors:
        train, dev = (shown(unit, best.errors.get(part)) for part in ("train", "dev"))
        return f"One network has been trained (train {unit.noun} {train}, dev {dev}); it has not been diagnosed yet."
    if best is not None:
        return f"The training ended without a usable network: {best.outcome.status.value}."
    if summary.split is not None:
        return "The data is split and the test set is sealed. Nothing has been trained yet."
    return "Nothing has happened in this experiment yet."


def _unfinished(summary: Summary) -> str:
    budget = f"{summary.budget} did" if summary.budget else "The budget did"
    more = suggested_budget(summary)
    again = f"Run again with --budget {more}." if more else "Run again with a larger --budget."
    return f"Nothing can be said yet: {budget} not pay for one whole training. {again}"


def suggested_budget(summary: Summary) -> str:
    """Return a budget that should pay for one whole training and for steps after it; "" if it cannot be told."""
    best, asked = summary.best, re.fullmatch(r"([0-9.]+)([smh])", summary.budget)
    rows = dict(summary.split.rows).get("Train", 0) if summary.split else 0
    if best is None or asked is None or not rows or not best.outcome.updates:
        return ""
    knobs = best.outcome.config.optimization
    share = best.outcome.updates / (knobs.epochs * math.ceil(rows / knobs.batch_size))
    wanted = 2 * float(asked[1]) * _SECONDS[asked[2]] / min(1.0, max(share, 1e-3))
    nice = next((each for each in _NICE if each >= wanted), None)
    if nice is None:
        return ""
    whole, letter = next((nice // _SECONDS[unit], unit) for unit in "hms" if nice % _SECONDS[unit] == 0)
    return f"{whole}{letter}"


def _unchanged(summary: Summary, found: Diagnosed) -> str:
    unit, dev = summary.unit, summary.unit.show(found.diagnosis.errors.dev.value)
    judged = [gap for gap in found.gaps if gap.name != "dev_overfit"]
    tried = len(summary.steps)
    if all(gap.verdict == "no" for gap in judged):
        return f"The network is fine from the start: dev {unit.noun} {dev}, and every gap is within the tolerance."
    cause = _present(found)
    kept = next((step for step in summary.steps if step.kept), None)
    if kept is not None:
        action = _capitalized(_action_of(kept, None))
        return f"{action} was tried, but an earlier network does better on dev and is kept: {unit.noun} {dev}."
    if tried > 1:
        return f"{cause} None of the {tried} steps tried surely gained: dev {unit.noun} stays at {dev}."
    if tried:
        step = _capitalized(_ACTIONS.get(summary.steps[0].kind, "the step tried"))
        return f"{cause} {step} did not surely gain: dev {unit.noun} stays at {dev}."
    if summary.stop == "budget":
        return f"{cause} Dev {unit.noun} is {dev}, and the budget left nothing for a step."
    return f"{cause} Dev {unit.noun} is {dev}."


def _present(found: Diagnosed) -> str:
    """Return what is wrong with a network, as far as its intervals say so."""
    high = [gap for gap in found.gaps if gap.verdict == "yes"]
    if high:
        return f"The network {' and '.join(_VERBS[gap.name] for gap in high[:2])}."
    if any(found.diagnosis.errors.is_open(gap) and gap.verdict == "cannot tell" for gap in found.gaps):
        return "Whether the network underfits is unknown: there is no reference."
    return "These rows cannot tell whether the network underfits or overfits."


def _changed(summary: Summary, before: Diagnosed, after: Diagnosed) -> str:
    unit = summary.unit
    first, last = before.diagnosis.errors.dev.value, after.diagnosis.errors.dev.value
    old, new = unit.show(first), unit.show(last)
    path = summary.path
    if not path:
        return (
            f"A network that no step of this run made is kept, because it does better on dev: {new} against {old} at "
            "the start."
        )
    cause, action = _cause(summary), _action(summary)
    if is_cut_short(summary.first):
        return f"Dev {unit.noun} is {new} after {action}; the first training was cut short, so nothing can be compared."
    if last >= first or old == new:
        return f"{cause} Nothing gained: dev {unit.noun} {new} after {action}, {old} at the start.".strip()
    gain = honest_gain(summary)
    if gain is None:
        return f"{cause} {_capitalized(action)} took the dev {unit.noun} from {old} to {new}.".strip()
    if gain.low > 0:
        verb = "raised" if unit.goal.higher_is_better else "cut"
        earned = f"{_capitalized(action)} {verb} the dev {unit.noun} from {old} to {new}."
        return _short_enough(f"{cause} {earned}", earned)
    rows = f"{gain.rows:,} rows" if gain.rows else "these rows"
    luck = f"{new} instead of {old} on dev, after {action}, may be luck"
    return _short_enough(f"{cause} {luck}: {rows} cannot tell.", f"{cause} {luck}.", f"{luck}.")


def _short_enough(*sentences: str) -> str:
    """Return the first one that a headline has room for; if none is short enough, the last one."""
    return next((each for each in sentences if len(each.split()) <= MOST_WORDS), sentences[-1]).strip()


def _cause(summary: Summary) -> str:
    """Return what was wrong with the first network; "" where the intervals do not say, or it did not finish."""
    before = summary.before
    if before is None or is_cut_short(summary.first):
        return ""
    high = [
        (gap := before.diagnosis.gap(name)) is not None and gap.verdict == "yes"
        for name in ("avoidable_bias", "variance")
    ]
    if any(high):
        return _CAUSES[high[0], high[1]]
    mismatch = before.diagnosis.gap("mismatch")
    return "Dev data differs from train data." if mismatch is not None and mismatch.verdict == "yes" else ""


def _action(summary: Summary) -> str:
    """Name the steps that lowered the dev loss on the way to the network, at most two, in words."""
    path = [step for step in summary.path if step.before["dev"] > step.after["dev"]] or list(summary.path)
    earned = sorted(path, key=lambda step: step.after["dev"] - step.before["dev"])[:2]
    words = list(dict.fromkeys(_action_of(step, summary.best) for step in path if step in earned))
    rest = len(path) - len(earned)
    more = f" and {rest} more {'step' if rest == 1 else 'steps'}" if rest else ""
    return (", " if more else " and ").join(words) + more


def _action_of(step: Step, best: Network | None) -> str:
    if step.kind == "ensemble" and best is not None and best.outcome.networks > 1:
        return f"an average of {best.outcome.networks} networks"
    board = step.kind == "regularize" or (not step.kind and step.board == "regularization")
    if board and best is not None:
        knobs = {
            "λ": best.lambdas != "0",
            "dropout": best.keep_probs != "1",
            "augmentation": any("augment" in each.others for each in best.singles),
        }
        return " and ".join(word for word, is_on in knobs.items() if is_on) or "regularization"
    return _ACTIONS.get(step.kind, step.kind.replace("_", " ") or f"the step on {step.board}")


def honest_gain(summary: Summary) -> Estimate | None:
    """The fall of the dev loss since the first network, less what the choice on dev flatters the last one by."""
    if summary.gain is None:
        return None
    gain, less = summary.gain, summary.optimism
    return replace(gain, value=gain.value - less, low=gain.low - less, high=gain.high - less, binomial=False)


def _certainty(summary: Summary) -> str:
    gain, before = honest_gain(summary), summary.before
    if before is None or not summary.path or is_cut_short(summary.first):
        return ""
    if gain is None:
        return "How sure that is, is unknown: the two networks were not compared row by row."
    unit, end = summary.unit, before.diagnosis.errors.dev.value
    limits = unit.gap_range(gain.low, gain.high, end=end)
    rows = f"row by row on {gain.rows:,} of dev" if gain.rows else "row by row on dev"
    allowed = f", allowing for {summary.compared:,} networks" if summary.optimism else ""
    if gain.low > 0:
        return f"Sure: better by {limits} ({rows}{allowed})."
    if gain.high < 0:
        return f"No gain on new rows: {limits} ({rows}{allowed})."
    return f"Not sure: the gain is {limits} ({rows}{allowed})."


def _flattered(summary: Summary) -> str:
    """Return a sentence on a first error that rows shared by train and dev made look too low."""
    dropped = [step for step in summary.path if step.kind == "drop_rows"]
    if not any(step.after["dev"] > step.before["dev"] for step in dropped):
        return ""
    return f"The first dev {summary.unit.noun} was flattered by rows that dev shares with train."


def _price(summary: Summary, before: Diagnosed, after: Diagnosed) -> str:
    """Return a sentence on a train error that regularization has raised, which looks like a fault and is none."""
    was, now = (found.diagnosis.errors.train.value for found in (before, after))
    regularized = any(step.board == "regularization" and not step.coupled for step in summary.path)
    unit, bias = summary.unit, after.diagnosis.gap("avoidable_bias")
    underfits = bias is not None and bias.verdict == "yes"
    if now <= was or unit.show(was) == unit.show(now) or not regularized or underfits or is_cut_short(summary.first):
        return ""
    return (
        f"Train {unit.noun} went from {unit.show(was)} to {unit.show(now)}: the price of regularization, not a fault."
    )


def _left(summary: Summary, before: Diagnosed, after: Diagnosed) -> Iterator[str]:
    errors, unit = after.diagnosis.errors, summary.unit
    judged = [gap for gap in after.gaps if gap.name != "dev_overfit" or summary.openings]
    for gap in judged:
        if gap.verdict == "yes":
            yield f"It {_since(gap, before, after)}{_VERBS[gap.name]} by {_size(summary, after, gap)}."
    unsure = [gap for gap in judged if gap.verdict == "cannot tell"]
    for gap in unsure:
        if not errors.is_open(gap):
            held_out = "train-dev" if gap.name == "variance" and errors.train_dev is not None else "dev"
            wanted, close = errors.rows_wanted(gap), errors.lacks_rows(gap)
            rest = f"about {wanted:,} {held_out} rows would tell" if wanted else TOO_CLOSE if close else "unknown"
            yield f"{_capitalized(gap.kind.noun)} is {gap_text(unit, after, gap)}; too large? {_capitalized(rest)}."
    if judged and before is not after and all(gap.verdict == "no" for gap in judged):
        yield "Every gap is within the tolerance now."


def _since(gap: Gap, before: Diagnosed, after: Diagnosed) -> str:
    if before is after:
        return ""
    earlier = before.diagnosis.gap(gap.name)
    return "still " if earlier is not None and earlier.verdict == "yes" else "now "


def _size(summary: Summary, found: Diagnosed, gap: Gap) -> str:
    errors, unit = found.diagnosis.errors, summary.unit
    if errors.is_open(gap) or gap.low >= gap.high:
        return errors.size(gap, unit=unit)
    return f"{errors.size(gap, unit=unit)} ({errors.limits(gap, unit=unit)})"


def rival(summary: Summary) -> str:
    """Return the sentence on a reference model with a lower loss than the network; "" without any."""
    part = "test" if summary.openings else "dev"
    ours = summary.openings[0].error if summary.openings else summary.dev
    measured = [(each.test if summary.openings else each.dev, each.label) for each in summary.others]
    known = [(found.value, label) for found, label in measured if found is not None]
    if ours is None or not known or min(known)[0] >= ours.value or is_cut_short(summary.best):
        return ""
    loss, label = min(known)
    unit, many = summary.unit, label.endswith("s")
    subject = label if many else f"The {label[:1].lower()}{label[1:]}"
    verdict = next((found.status for found in summary.findings if found.code == "WF106"), "")
    pair = f"{part} {unit.noun} {unit.show(loss)} against {unit.show(ours.value)}"
    if verdict == "passed" if part == "dev" else ours.low <= loss:
        return f"{subject} {'are' if many else 'is'} on a par with the network: {pair}."
    return f"{subject} {'do' if many else 'does'} better than the network: {pair}."


def _test(summary: Summary) -> Iterator[str]:
    if summary.elsewhere and not summary.openings:
        yield (
            "The test set was opened for another network: this one has no test error. `wellfit unseal --again` "
            "measures it, not certified."
        )
    if not summary.openings:
        return
    first, unit = summary.openings[0], summary.unit
    certified = "certified" if first.certified else "not certified"
    yield f"Test {unit.noun} {unit.show(first.error.value)} (95% interval {unit.interval(first.error)}), {certified}."
    opened = len(summary.openings) + len(summary.elsewhere)
    if opened > 1:
        yield f"The test set has been opened {opened} times; only the first opening can be certified."


_SAID_ELSEWHERE = {"WF101", "WF102", "WF301", "WF401", "WF104", "WF105", "WF106", "WF402", "WF210", "WF211"}


def cares(summary: Summary) -> Iterator[str]:
    """Return what to take care of: a dev error that the choice flatters, and findings that fired."""
    if is_cut_short(summary.best):
        return
    unit = summary.unit
    fired = [found for found in summary.findings if found.status == "fired"]
    used = next((found for found in fired if found.code == "WF403" and found.interval is not None), None)
    if used is not None and used.interval is not None:
        expected = unit.show(used.interval.value)
        yield f"Dev chose among {summary.compared:,} networks: expect about {expected} on new rows (WF403)."
    urgent = [code for kind in ("leak", "impossible", "doubt", "labels") for code in codes_of(kind)]
    order = {code: place for place, code in enumerate(urgent)}
    others = [found for found in fired if found.code not in {*_SAID_ELSEWHERE, *([used.code] if used else [])}]
    names = [f"{found.title} ({found.code})" for found in sorted(others, key=lambda each: order.get(each.code, 99))]
    if names:
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        yield f"{_capitalized(', '.join(names[:3]))}{more}."


def next_steps(summary: Summary) -> Iterator[str]:
    """Return what to do next, in the order in which to try it."""
    if is_cut_short(summary.best):
        more = suggested_budget(summary)
        yield f"Run the same command with --budget {more}." if more else "Run the same command with more time."
        return
    if summary.stop == "budget":
        yield "Run the same command with a larger --budget."
    yield from remedies(summary)


def remedies(summary: Summary) -> Iterator[str]:
    """Return the prescribed remedies, those with the same cause on one line, each with the most that it can gain."""
    found, unit = summary.after, summary.unit
    if found is None or is_cut_short(summary.best):
        return
    for cause, group in groupby(summary.prescription, key=lambda row: (row.why.partition(": ")[0], row.ceiling)):
        rows = list(group)
        gap = next((each for each in found.gaps if each.name == rows[0].because), None)
        if rows[0].ceiling and gap is not None and gap.verdict == "cannot tell" and found.diagnosis.errors.is_open(gap):
            continue  # the first thing to do about it is to name a reference
        kinds = ", ".join(row.kind.replace("_", " ") for row in rows if row.kind != "none")
        gain = f" (gains {most_text(unit, found.diagnosis, rows[0])})" if rows[0].ceiling else ""
        yield f"{cause[0].rstrip('.')}{f': {kinds}{gain}' if kinds else ''}."


def most_text(unit: Unit, diagnosis: Diagnosis, remedy: Prescribed) -> str:
    """The most that closing a remedy's gap gains; without a reference only limits of it are known."""
    errors, gap = (
        diagnosis.errors,
        next((each for each in present(diagnosis.gaps) if each.name == remedy.because), None),
    )
    end = errors.dev.value
    if gap is None or not errors.is_open(gap):
        return f"at most {unit.size(remedy.ceiling, end=end)}"
    # Dev may be below train: no remedy takes the dev loss further than from here to the optimum.
    least = max(0.0, min(gap.low, end - errors.optimal.high))
    limits = unit.gap_range(least, min(gap.high, end - errors.optimal.low), end=end)
    return limits if unit.is_percent else f"{limits} {unit.noun}"


def why_not(summary: Summary, identity: str) -> str:
    """Return why a network that a sweep chose is not the one that represents the experiment; "" if it is."""
    best = summary.best
    if best is None or best.identity == identity:
        return ""
    if identity in best.outcome.members:
        return f"It is one of the {best.outcome.networks} networks that the experiment's average consists of."
    better = "higher" if summary.unit.goal.higher_is_better else "lower"
    average = f", {best.outcome.networks} networks averaged" if best.outcome.networks > 1 else ""
    return (
        f"The experiment stands for another network, with λ {best.lambdas}, keep_prob {best.keep_probs}{average}, "
        f"which has the {better} dev {summary.unit.noun} of those that were kept."
    )


def state_of(summary: Summary, step: Step) -> str:
    """What became of the network of a step: kept, kept and then replaced, or dropped."""
    if not step.kept:
        return "dropped"
    return "kept" if step in summary.path else "kept, then replaced"


def standing(summary: Summary, steps: Sequence[Step]) -> str:
    """Return why kept steps did not lead to the network that represents the experiment; "" if all did."""
    lost = [str(step.step) for step in steps if step.kept and step not in summary.path]
    if not lost or summary.best is None or not summary.best.identity:
        return ""
    many = len(lost) > 1
    return (
        f"{'Steps' if many else 'Step'} {' and '.join(lost)} {'were' if many else 'was'} kept, but the run went on "
        "from a network with a lower dev loss."
    )


def _capitalized(words: str) -> str:
    return words if words.startswith("λ") else words[:1].upper() + words[1:]
