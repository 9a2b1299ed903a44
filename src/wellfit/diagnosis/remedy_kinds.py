"""The kinds of remedies: one table, which a prescription names and which the recipe carries out.

A person follows "What next?" with `wellfit run EXPERIMENT --only KIND`, so both must mean the same by a kind.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from wellfit.base.typing import Board
from wellfit.records.gaps import GAPS, GapName


@dataclass(frozen=True, kw_only=True)
class RemedyKind:
    """One kind of remedy; its board and its finding are those of its gap unless it names others.

    Attributes:
        name: as `run --only KIND` takes it.
        reason: why it is prescribed, as a clause; "" if it is not prescribed, but part of a recipe.
        person: what a person has to do, if the recipe cannot carry it out by itself.
    """

    name: str
    gap: GapName
    board: Board
    finding: str
    reason: str = ""
    person: str = ""
    of_pictures: bool = False


def _kind(
    name: str,
    gap: GapName,
    reason: str = "",
    *,
    board: Board | None = None,
    finding: str | None = None,
    person: str = "",
    of_pictures: bool = False,
) -> RemedyKind:
    return RemedyKind(
        name=name,
        gap=gap,
        board=board or GAPS[gap].board,
        finding=finding or GAPS[gap].finding,
        reason=reason,
        person=person,
        of_pictures=of_pictures,
    )


REMEDY_KINDS: Mapping[str, RemedyKind] = {
    kind.name: kind
    for kind in (
        _kind("bigger_network", "avoidable_bias", "a bigger network can fit the training set better"),
        _kind("train_longer", "avoidable_bias", "more updates can lower the train error that is still falling"),
        _kind(
            "better_optimizer",
            "avoidable_bias",
            "another optimizer or schedule can get lower with equal updates",
        ),
        _kind("architecture", "avoidable_bias", "another architecture can suit these data better"),
        _kind("more_data", "variance", "more training rows leave less to memorize", board="data"),
        _kind("regularize", "variance", "lambda and keep_prob trade some train error for dev error"),
        _kind("augment", "variance", "changed copies of the rows stand in for more data"),
        _kind("search_architecture", "variance", "an architecture that fits the problem needs less to learn it"),
        _kind("average_weights", "variance"),
        _kind("smooth_labels", "variance"),
        _kind("sparsify", "variance"),
        _kind("stop_early", "variance"),
        _kind("search_both_boards", "variance"),
        _kind("ensemble", "variance"),
        _kind(
            "augment_toward",
            "mismatch",
            "training pictures can be changed to look like those of deployment",
            of_pictures=True,
        ),
        _kind(
            "collect_deployment_data",
            "mismatch",
            "rows like those of deployment belong into training",
            person="Collect them, and split again with --deployment-data FILE",
        ),
        _kind("reweight", "mismatch", "weights can draw the training rows towards deployment", finding="WF302"),
        _kind("drop_rows", "mismatch", finding="WF203"),
        _kind(
            "bigger_dev_set",
            "dev_overfit",
            "a larger dev set, drawn anew, is harder to fit by choosing on it",
            board="data",
            person="Collect rows and split again; `wellfit size` says how many",
        ),
    )
}
"""In the order in which those of a gap are to be tried."""


def prescribed_against(gap: GapName, *, pictures: bool = False) -> tuple[RemedyKind, ...]:
    """Return the kinds to try against a gap, in their order."""
    return tuple(
        kind for kind in REMEDY_KINDS.values() if kind.gap == gap and kind.reason and (pictures or not kind.of_pictures)
    )
