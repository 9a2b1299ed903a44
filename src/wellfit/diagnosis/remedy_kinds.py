"""The kinds of remedies, in one table for both the prescription and the recipe that carries them out.

A person follows "What next?" with `wellfit run EXPERIMENT --only KIND`, so both must use the kinds in the same way.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass

from wellfit.base.typing import Board
from wellfit.records.gaps import GAPS, GapName


@dataclass(frozen=True)
class RemedyKind:
    """One kind of remedy, whose board and finding are those of its gap unless it names others."""

    name: str  # as `run --only KIND` takes it
    gap: GapName
    reason: str = ""  # why it is prescribed, as a clause; "" if it is not prescribed, but part of a recipe
    _: KW_ONLY
    person: str = ""  # what a person has to do, if the recipe cannot carry it out by itself
    of_pictures: bool = False
    other_board: Board | None = None
    other_finding: str | None = None

    @property
    def board(self) -> Board:
        """The board of the knobs that the remedy turns."""
        return self.other_board or GAPS[self.gap].board

    @property
    def finding(self) -> str:
        """The code of the finding that calls for the remedy."""
        return self.other_finding or GAPS[self.gap].finding


REMEDY_KINDS: Mapping[str, RemedyKind] = {
    kind.name: kind
    for kind in (
        RemedyKind("bigger_network", "avoidable_bias", "a bigger network can fit the training set better"),
        RemedyKind("train_longer", "avoidable_bias", "more updates can lower a train error that is still falling"),
        RemedyKind(
            "better_optimizer",
            "avoidable_bias",
            "another optimizer or schedule can reach a lower loss with the same number of updates",
        ),
        RemedyKind("architecture", "avoidable_bias", "another architecture can suit the data better"),
        RemedyKind("more_data", "variance", "a larger training set is harder to memorize", other_board="data"),
        RemedyKind("regularize", "variance", "lambda and keep_prob trade some train error for dev error"),
        RemedyKind("augment", "variance", "modified copies of the rows take the place of more data"),
        RemedyKind(
            "search_architecture", "variance", "an architecture that suits the problem learns it from fewer rows"
        ),
        RemedyKind("average_weights", "variance"),
        RemedyKind("smooth_labels", "variance"),
        RemedyKind("sparsify", "variance"),
        RemedyKind("stop_early", "variance"),
        RemedyKind("search_both_boards", "variance"),
        RemedyKind("ensemble", "variance"),
        RemedyKind(
            "augment_toward",
            "mismatch",
            "training pictures can be modified to look like those of deployment",
            of_pictures=True,
        ),
        RemedyKind(
            "collect_deployment_data",
            "mismatch",
            "rows like those of deployment belong in the training set",
            person="Collect them, and split again with --deployment-data FILE",
        ),
        RemedyKind(
            "reweight", "mismatch", "weights can bring the training rows closer to deployment", other_finding="WF302"
        ),
        RemedyKind("drop_rows", "mismatch", other_finding="WF203"),
        RemedyKind(
            "bigger_dev_set",
            "dev_overfit",
            "a new, larger dev set is harder to overfit by choosing on it",
            other_board="data",
            person="Collect rows and split again; `wellfit size` says how many",
        ),
    )
}
"""All kinds by name; the kinds for one gap are in the order in which to try them."""


def prescribed_against(gap: GapName, *, pictures: bool = False) -> tuple[RemedyKind, ...]:
    """Return the kinds to try against a gap, in order."""
    return tuple(
        kind for kind in REMEDY_KINDS.values() if kind.gap == gap and kind.reason and (pictures or not kind.of_pictures)
    )
