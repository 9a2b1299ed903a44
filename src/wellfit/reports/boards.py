"""The knob boards and the trade: changes between the first network and the chosen one, and their gain."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from wellfit.base.typing import Json
from wellfit.opening import Opening
from wellfit.records.knobs import knobs_of
from wellfit.records.units import knob, spread
from wellfit.reports.records import Knob, Network, TradeRow
from wellfit.reports.sweep_card import DROPPED, Member, SweepCard

_OF_ONE_OPTIMIZER = ("momentum", "betas")


def knob_boards(first: Network | None, best: Network | None) -> tuple[tuple[Knob, ...], tuple[Knob, ...]]:
    """Return both boards' changes from the first network to the chosen one; empty before anything was trained."""
    if first is None or best is None:
        return (), ()
    if best.outcome.config.own:
        return _own_board(first, best, "optimization"), _own_board(first, best, "regularization")
    before, settings = _settings(first), [_settings(each) for each in best.singles]
    after = {name: spread(each[name] for each in settings) for name in settings[0]}
    networks = Knob(name="networks averaged", before=str(first.outcome.networks), after=str(best.outcome.networks))
    return (
        *(Knob(name=name, before=before[name], after=after[name]) for name in before),
        *_where_on(first, best, board="optimization"),
    ), (
        Knob(name="λ (l2)", before=knob(first.l2), after=best.lambdas),
        Knob(
            name="weight_decay = λ/m",
            before=knob(first.weight_decay),
            after=spread(knob(each.weight_decay) for each in best.singles),
        ),
        Knob(
            name="shrink = lr·λ/m", before=knob(first.shrink), after=spread(knob(each.shrink) for each in best.singles)
        ),
        Knob(name="keep_prob", before=first.keep_probs, after=best.keep_probs),
        *_where_on(first, best, board="regularization"),
        *_augmentation(first, best),
        *([networks] if best.outcome.networks > 1 else []),
    )


def data_board(first: Network | None, best: Network | None) -> tuple[Knob, ...]:
    """Return the changes to the training rows; empty if there were none."""
    if first is None or best is None:
        return ()
    return _own_board(first, best, "data") or tuple(_where_on(first, best, board="data"))


def _own_board(first: Network, best: Network, board: str) -> tuple[Knob, ...]:
    """The knobs of a training function of the user's own."""
    before, after = first.outcome.config.own_on(board), best.outcome.config.own_on(board)
    return tuple(
        Knob(name=name, before=_short(before.get(name, "off")), after=_short(after.get(name, "off")))
        for name in dict.fromkeys((*before, *after))
    )


def _where_on(first: Network, best: Network, *, board: str) -> Iterator[Knob]:
    """Knobs that are off by default, and so in the JSON only if they are on, and that are on in either network."""
    before, *after = (each.outcome.config.to_json().get(board, {}) for each in (first, *best.singles))
    for name in (each.name for each in knobs_of(board) if not each.basic):
        if any(body.get(name) for body in (before, *after)):
            was, *now = (_short(body.get(name) or "off") for body in (before, *after))
            yield Knob(name=name.replace("_", " "), before=was, after=spread(now))


def _augmentation(first: Network, best: Network) -> Iterator[Knob]:
    """The ranges of augmentation that a step has widened."""
    before, after = (vars(network.outcome.config.augmentation) for network in (first, best))
    for name in after:
        if before[name] != after[name]:
            title = f"{name.replace('_', ' ')} of pictures"
            yield Knob(name=title, before=_short(before[name]), after=_short(after[name]))


def _settings(network: Network) -> dict[str, str]:
    config = network.outcome.config
    settings = {
        "hidden layers": " × ".join(map(str, config.network.widths)) or "none",
        "activation": config.network.activation,
    }
    optimization: Json = vars(config.optimization)
    basic = (each for each in knobs_of("optimization") if each.basic and each.name not in _OF_ONE_OPTIMIZER)
    return settings | {each.words: _short(optimization[each.name]) for each in basic}


def _short(value: object) -> str:
    if value is True:
        return "on"
    return knob(value) if isinstance(value, int | float) else str(value)


def trade_rows(
    networks: Sequence[Network],
    sweeps: tuple[SweepCard, ...],
    *,
    best: Network | None,
    openings: tuple[Opening, ...],
) -> tuple[TradeRow, ...]:
    """Return the same network without and with regularization; empty if nothing was regularized.

    The row without comes from the last sweep that has such a member, else from the last unregularized training run.
    """
    if best is not None and best.outcome.config.own:
        return ()
    chosen = _chosen(sweeps, best)
    plain = _without(networks, sweeps, best)
    if chosen is None or plain is None:
        return ()
    is_best = best is not None and not best.is_plain
    return plain, replace(chosen, test=openings[0].error.value if openings and is_best else None)


def _chosen(sweeps: tuple[SweepCard, ...], best: Network | None) -> TradeRow | None:
    """The network that the experiment ends with, if it is regularized; otherwise the choice of the last sweep."""
    member = sweeps[-1].chosen if sweeps else None
    if best is not None and not best.is_plain:
        averaged = f"{best.outcome.networks} networks averaged" if best.outcome.networks > 1 else ""
        return _row(best, ", ".join(filter(None, ("chosen", best.others, averaged))))
    if member is None or member.is_plain:
        return None
    return _row(member, ", ".join(filter(None, ("chosen", member.others))))


def _without(networks: Sequence[Network], sweeps: tuple[SweepCard, ...], best: Network | None) -> TradeRow | None:
    label = "no regularization"
    others = {each.identity for each in networks if best and not _is_alike(each, best)}
    found = [member for sweep in sweeps if (member := sweep.unregularized) and member.identity not in others]
    if found:
        return _row(found[-1], label)
    same = [each for each in networks if best and each.identity not in others]
    plain = [network for network in same if network.is_plain and network.outcome.status.value != DROPPED]
    return _row(plain[-1], label) if plain else None


def _is_alike(network: Network, best: Network) -> bool:
    """Return True if two networks differ at most in their regularizers."""
    one, other = network.outcome.config, best.outcome.config
    return one.network == other.network and one.optimization == other.optimization


def _row(found: Network | Member, label: str) -> TradeRow:
    if isinstance(found, Member):
        train, dev = found.train, found.dev
    else:
        error, dev = found.errors.get("train"), found.errors.get("dev")
        train = error.value if error else None
    return TradeRow(
        label=label,
        lambdas=knob(found.l2) if isinstance(found, Member) else found.lambdas,
        keep_probs=found.keep_probs,
        norm=found.norm,
        train=train,
        dev=dev.value if dev else None,
    )
