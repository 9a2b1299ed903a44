"""The knob board: two columns that never mix.

The optimization board (with the network's size) makes J small on the training set; the regularization board makes dev
follow train.
The table that shows what regularization costs on train and buys on dev and test.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from wellfit._typing import Json
from wellfit.knobs import knobs_of
from wellfit.reports import values
from wellfit.reports.records import Knob, Network, OpeningCard, TradeRow
from wellfit.reports.sweep_card import DROPPED, Member, SweepCard
from wellfit.reports.values import Measure
from wellfit.units import Unit, knob

_OPTIMIZATION = ("optimizer", "lr", "epochs", "batch_size", "schedule")


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
    for name in (each.name for each in knobs_of(board) if not each.basic):
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


def trade_rows(
    networks: list[Network], sweeps: tuple[SweepCard, ...], *, best: Network | None, openings: tuple[OpeningCard, ...]
) -> tuple[TradeRow, ...]:
    """The same network without and with regularization; empty where nothing was regularized.

    The row without comes from the last sweep that has such a member, else from the last unregularized training.
    """
    chosen = _chosen(sweeps, best)
    plain = _without(networks, sweeps, best)
    if chosen is None or plain is None:
        return ()
    test = openings[0].error.value if openings else None
    return plain, replace(chosen, test=test)


def trade_sentence(rows: tuple[TradeRow, ...], unit: Unit) -> str:
    """What regularization cost and bought, in the goal's unit."""
    if len(rows) != 2:
        return ""
    plain, chosen = rows
    if plain.train is None or plain.dev is None or chosen.train is None or chosen.dev is None:
        return ""
    cost = unit.gap(chosen.train - plain.train, start=plain.train, end=chosen.train)
    bought = unit.gap(chosen.dev - plain.dev, start=plain.dev, end=chosen.dev)
    return f"Regularization changed train {unit.noun} by {cost} and dev {unit.noun} by {bought}."


def _chosen(sweeps: tuple[SweepCard, ...], best: Network | None) -> TradeRow | None:
    """The network that the experiment ends with, if it is regularized; else what the last sweep chose."""
    member = sweeps[-1].chosen if sweeps else None
    if best is not None and not best.is_plain:
        averaged = f"{best.networks} networks averaged" if best.networks > 1 else ""
        return _of_network(best, ", ".join(filter(None, ("chosen", best.others, averaged))))
    if member is None or member.is_plain:
        return None
    return _of_member(member, ", ".join(filter(None, ("chosen", member.others))))


def _without(networks: list[Network], sweeps: tuple[SweepCard, ...], best: Network | None) -> TradeRow | None:
    label = "no regularization"
    others = {it.identity for it in networks if best and not _is_alike(it, best)}
    found = [member for sweep in sweeps if (member := sweep.unregularized) and member.identity not in others]
    if found:
        return _of_member(found[-1], label)
    same = [it for it in networks if best and _is_alike(it, best)]
    plain = [network for network in same if network.is_plain and network.status != DROPPED]
    return _of_network(plain[-1], label) if plain else None


def _is_alike(network: Network, best: Network) -> bool:
    """Whether two networks differ at most in what regularizes them, as far as is known."""
    pairs = [(network.config.get(board), best.config.get(board)) for board in ("network", "optimization")]
    return all(one == other or not one or not other for one, other in pairs)


def _of_network(network: Network, label: str) -> TradeRow:
    return TradeRow(
        label=label,
        l2=network.l2,
        weight_decay=network.weight_decay,
        shrink=network.shrink,
        keep_probs=network.keep_probs,
        norm=network.norm,
        train=_value(network.train),
        dev=_value(network.dev),
        test=None,
    )


def _of_member(member: Member, label: str) -> TradeRow:
    return TradeRow(
        label=label,
        l2=member.l2,
        weight_decay=member.weight_decay,
        shrink=member.shrink,
        keep_probs=member.keep_probs,
        norm=member.norm,
        train=member.train,
        dev=_value(member.dev),
        test=None,
    )


def _value(found: Measure | None) -> float | None:
    return None if found is None else found.value
