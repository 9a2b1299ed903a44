"""The knob board: two columns that never mix.

The optimization board (with the network's size) makes J small on the training set; the regularization board makes dev
follow train.
"""

from __future__ import annotations

from collections.abc import Iterator

from wellfit._typing import Json
from wellfit.reports import values
from wellfit.reports.records import Knob, Network
from wellfit.reports.units import knob

_OPTIMIZATION = ("optimizer", "lr", "epochs", "batch_size", "schedule")
_LATER = {
    "optimization": ("clip_norm", "early_stopping"),
    "regularization": (
        "l1",
        "label_smoothing",
        "input_noise",
        "mixup",
        "ema",
        "augment",
        "l2_schedule",
        "keep_prob_schedule",
    ),
    "data": ("more_data", "reweight", "drop_rows"),
}


def knob_boards(first: Network | None, best: Network | None) -> tuple[tuple[Knob, ...], tuple[Knob, ...]]:
    """Both boards, from the first network to the chosen one; empty before anything was trained."""
    if first is None or best is None:
        return (), ()
    before, after = _settings(first.config), _settings(best.config)
    optimization = tuple(Knob(name=name, before=before[name], after=after[name]) for name in before)
    return (*optimization, *_later(first, best, board="optimization")), (
        Knob(name="λ (l2)", before=knob(first.l2), after=knob(best.l2)),
        Knob(name="weight_decay = λ/m", before=knob(first.weight_decay), after=knob(best.weight_decay)),
        Knob(name="shrink = lr·λ/m", before=knob(first.shrink), after=knob(best.shrink)),
        Knob(name="keep_prob", before=first.keep_probs, after=best.keep_probs),
        *_later(first, best, board="regularization"),
        *_changes(first, best),
        *_networks(first, best),
    )


def data_board(first: Network | None, best: Network | None) -> tuple[Knob, ...]:
    """What was changed about the training rows; empty where nothing was."""
    if first is None or best is None:
        return ()
    return tuple(_later(first, best, board="data"))


def _networks(first: Network, best: Network) -> Iterator[Knob]:
    """How many networks are averaged, where that is more than one."""
    if best.networks > 1:
        yield Knob(name="networks averaged", before=str(first.networks), after=str(best.networks))


def _later(first: Network, best: Network, *, board: str) -> Iterator[Knob]:
    """Knobs that are off by default, where either network has them on."""
    before, after = (values.section(network.config, board) for network in (first, best))
    for name in _LATER[board]:
        if before.get(name) or after.get(name):
            pair = (_short(each[name]) if each.get(name) else "off" for each in (before, after))
            yield Knob(name=name.replace("_", " "), before=next(pair), after=next(pair))


def _changes(first: Network, best: Network) -> Iterator[Knob]:
    """Ranges of the changes of pictures that a step has widened."""
    before, after = (values.section(network.config, "augmentation") for network in (first, best))
    for name in after:
        if before.get(name) != after[name]:
            yield Knob(
                name=f"{name.replace('_', ' ')} of pictures", before=_short(before.get(name)), after=_short(after[name])
            )


def _settings(config: Json) -> dict[str, str]:
    network, optimization = values.section(config, "network"), values.section(config, "optimization")
    widths = " × ".join(map(values.text, values.items(network, "widths"))) or "none"
    settings = {"hidden layers": widths, "activation": values.text(network.get("activation"))}
    return settings | {name.replace("_", " "): _short(optimization.get(name)) for name in _OPTIMIZATION}


def _short(value: object) -> str:
    if value is True:
        return "on"
    found = values.number(value)
    return values.text(value) if found is None else knob(found)
