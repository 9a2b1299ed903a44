"""The table that shows what regularization costs on train and buys on dev and test."""

from __future__ import annotations

from dataclasses import replace

from wellfit.reports.estimates import Measure
from wellfit.reports.records import Network, OpeningCard, TradeRow
from wellfit.reports.sweep_card import DROPPED, Member, SweepCard
from wellfit.reports.units import Unit


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
