"""The sentences of a report: cause, action, remainder, and what wins.

Verdicts are repeated here, never made: a sentence follows from the diagnosis entries of the journal.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from wellfit.reports.records import Gap, Ladder, Network, OpeningCard, OtherMethod, StepRow, Tempered
from wellfit.reports.sweep_card import SweepCard
from wellfit.units import Unit, knob


@dataclass(frozen=True, kw_only=True)
class Story:
    """What the sentences are made from: the experiment as far as it went."""

    unit: Unit
    has_split: bool
    before: Ladder | None
    after: Ladder | None
    first: Network | None
    best: Network | None
    steps: tuple[StepRow, ...]
    sweeps: tuple[SweepCard, ...]
    compared: int
    others: tuple[OtherMethod, ...]
    openings: tuple[OpeningCard, ...]
    rival_is_sure: bool
    finished: str
    tempered: Tempered | None = None


def headline(story: Story) -> str:
    """One to four short sentences: cause, action, remainder, and the method that wins when it is another one."""
    if story.before is None or story.after is None:
        return " ".join(filter(None, (_before_diagnosis(story), _winner(story))))
    return " ".join(filter(None, (_cause(story.before), _action(story), _remainder(story), _winner(story))))


def remarks(story: Story) -> Iterator[str]:
    """The lines under the headline."""
    yield from _moves(story)
    if story.after is not None and _has_no_reference(story.after):
        yield "How much of the rest could be avoided is not known: give --human-error."
    yield from _optimism(story)
    yield from _test(story)
    if story.tempered is not None:
        yield story.tempered.sentence
    if not story.finished and not story.openings:
        yield (
            "This experiment has not finished: what follows is how far it got. Run the same command again to continue."
        )


def _before_diagnosis(story: Story) -> str:
    if story.best is not None:
        train, dev = (story.unit.show(found.value if found else None) for found in (story.best.train, story.best.dev))
        return f"One network is trained (train {story.unit.noun} {train}, dev {dev}); it is not diagnosed yet."
    if story.has_split:
        return "The data is split and the test set is sealed. Nothing is trained yet."
    return "Nothing has happened in this experiment yet."


def _verdict(ladder: Ladder, name: str) -> str:
    found = ladder.gap(name)
    return "" if found is None else found.verdict


def _cause(ladder: Ladder) -> str:
    bias, variance = _verdict(ladder, "avoidable bias"), _verdict(ladder, "variance")
    mismatch = " Dev data also differs from train data." if _verdict(ladder, "mismatch") == "yes" else ""
    return _CAUSES.get((bias == "yes", variance == "yes")) or _unclear(ladder, (bias, variance), mismatch)


_CAUSES = {
    (True, True): "The first network was both underfitting and overfitting.",
    (True, False): "The first network was underfitting.",
    (False, True): "The first network was overfitting.",
}


def _unclear(ladder: Ladder, verdicts: tuple[str, str], mismatch: str) -> str:
    if mismatch:
        return "The first network fits, but dev data differs from train data."
    if "cannot tell" not in verdicts:
        return "The first network fits: neither bias nor variance is high."
    if verdicts[0] == "cannot tell" and _has_no_reference(ladder):
        return "How much of the first network's error could be avoided is unknown: no reference error was given."
    return "These rows cannot tell whether the first network under- or overfits."


def _action(story: Story) -> str:
    kept = [step for step in story.steps if step.kept]
    if not kept:
        tried = len(story.steps)
        return f"None of the {tried} steps tried did better." if tried > 1 else ""
    if _is_elsewhere(story, kept):
        return f"{_sentence(kept[-1].did)} was tried; an earlier network stays, which is ahead on dev."
    turned = [step for step in kept if step.board == "regularization"]
    if _searched_both(story):
        average = f" and an average of {story.best.networks} networks" if story.best and story.best.networks > 1 else ""
        return f"A search of both boards{average} {_shrunk(story, 'variance')}."
    if turned and story.before and story.after and story.best:
        return f"{_regularizers(story.best)} {_shrunk(story, 'variance')}."
    effect = _shrunk(story, _gap_of(kept[-1]))
    return f"{_sentence(kept[-1].did)} {effect}." if effect else ""


def _searched_both(story: Story) -> bool:
    """Whether a search of both boards was kept: then no board alone has the merit, or the price."""
    return any(step.is_kept_search for step in story.steps)


def _is_elsewhere(story: Story, kept: Sequence[StepRow]) -> bool:
    """Whether the experiment stands at a network that no step of this run led to."""
    reached = {step.network for step in kept if step.network}
    return bool(reached) and story.best is not None and story.best.identity not in reached


def _regularizers(best: Network) -> str:
    parts = []
    if best.l2:
        parts.append(f"λ = {knob(best.l2)}")
    if best.keep_prob < 1:
        parts.append(f"keep_prob {best.keep_probs}")
    if best.others:
        parts.append(best.others if parts else _sentence(best.others))
    if best.networks > 1:
        parts.append(f"{best.networks} networks averaged")
    return " with ".join(parts) or "The step on regularization"


def _shrunk(story: Story, name: str) -> str:
    before = story.before.gap(name) if story.before else None
    after = story.after.gap(name) if story.after else None
    if before is None or after is None:
        return "was kept"
    if after.verdict == "no" and before.verdict != "no":
        return f"removed the {name}"
    if after.value >= before.value:
        return f"did not lower the {name}"
    return f"cut the {name} from {_gap(story.unit, before)} to {_gap(story.unit, after)}"


def _gap(unit: Unit, found: Gap) -> str:
    return unit.gap(found.value, start=found.start, end=found.end, sign=False)


def _remainder(story: Story) -> str:
    ladder = story.after
    if ladder is None:
        return ""
    judged = [found for found in ladder.gaps if found.verdict]
    high = [found for found in judged if found.verdict == "yes" and found.name != "dev overfit"]
    if high:
        worst = max(high, key=lambda found: found.value)
        if worst.name == _treated(story):
            return ""
        return (
            f"{_article(worst.name)} of {_gap(story.unit, worst)} {'is left' if story.steps else 'is to be removed'}."
        )
    if _has_no_reference(ladder):
        return ""
    if any(found.verdict != "no" for found in judged):
        return "What is left is too small for these rows to name."
    return "" if _best_other(story) else "The rest of the error is in the data."


def _treated(story: Story) -> str:
    """The gap whose size `_action` has named already."""
    kept = [step for step in story.steps if step.kept]
    treated = set() if _is_elsewhere(story, kept) else {_gap_of(step) for step in kept}
    return next((name for name in ("variance", "mismatch", "avoidable bias") if name in treated), "")


def _gap_of(step: StepRow) -> str:
    """The gap that a step was to close."""
    if step.board == "data":
        return "mismatch" if step.kind in ("augment_toward", "reweight") else "variance"
    return "variance" if step.board == "regularization" else "avoidable bias"


def _has_no_reference(ladder: Ladder) -> bool:
    return ladder.optimal is None or ladder.optimal.source == "none"


def _winner(story: Story) -> str:
    found = _best_other(story)
    if found is None:
        return ""
    part, ours, loss, label = found
    many = label.endswith("s")
    shown = f"{part} {story.unit.noun} {story.unit.show(loss)} against {story.unit.show(ours)}"
    subject = label if many else f"The {label.lower()}"
    verb = ("do" if many else "does") if story.rival_is_sure or part == "test" else "may do"
    return f"{subject} {verb} better than the network here: {shown}."


def _best_other(story: Story) -> tuple[str, float, float, str] | None:
    """The part, our loss, theirs and the name of the reference model that beats the network; on test once opened."""
    part = "test" if story.openings else "dev"
    ours = story.openings[0].error.value if story.openings else _dev(story)
    losses = [(_loss(method, part), method.label) for method in story.others]
    known = [(loss, label) for loss, label in losses if loss is not None]
    if ours is None or not known or min(known)[0] >= ours:
        return None
    return part, ours, *min(known)


def _loss(method: OtherMethod, part: str) -> float | None:
    found = method.test if part == "test" else method.dev
    return None if found is None else found.value


def _dev(story: Story) -> float | None:
    found = story.after.rung("dev") if story.after else story.best.dev if story.best else None
    return None if found is None else found.value


def _moves(story: Story) -> Iterator[str]:
    if story.before is None or story.after is None or story.before is story.after:
        return
    unit = story.unit
    dev = [found.rung("dev") for found in (story.before, story.after)]
    train = [found.rung("train") for found in (story.before, story.after)]
    if dev[0] and dev[1]:
        verb = "went" if dev[1].value >= dev[0].value else "fell" if not unit.goal.higher_is_better else "rose"
        yield f"Dev {unit.noun} {verb} from {unit.show(dev[0].value)} to {unit.show(dev[1].value)}."
    risen = train[0] and train[1] and train[1].value > train[0].value
    if train[0] and train[1] and risen and _regularized(story.best) and not _searched_both(story):
        yield (
            f"Train {unit.noun} went from {unit.show(train[0].value)} to {unit.show(train[1].value)}: "
            "that is the price of regularizing, not a fault."
        )


def _regularized(best: Network | None) -> bool:
    return best is not None and not best.is_plain


def _optimism(story: Story) -> Iterator[str]:
    if story.compared > 1 and not story.openings:
        networks = f"{story.compared:,} networks"
        yield f"The dev {story.unit.noun} shown is the choice among {networks}, so it is a little too good."


def _test(story: Story) -> Iterator[str]:
    openings: Sequence[OpeningCard] = story.openings
    if not openings:
        return
    first, unit = openings[0], story.unit
    state = "certified" if first.certified else "not certified"
    interval = f"95 % interval {unit.show(first.error.low)} to {unit.show(first.error.high)}"
    yield f"Test {unit.noun} {unit.show(first.error.value)} ({interval}), {state}."
    if len(openings) > 1:
        yield f"The test set has been opened {len(openings)} times; only the first opening can be certified."


def _article(name: str) -> str:
    return f"{'An' if name[0] in 'aeiou' else 'A'} {name}"


def _sentence(words: str) -> str:
    return words[:1].upper() + words[1:]
