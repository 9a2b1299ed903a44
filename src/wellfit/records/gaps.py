"""The gaps between the errors of a network: one table of names, causes, findings, boards and words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from wellfit.base.typing import Board, Part

GapName = Literal["avoidable_bias", "variance", "mismatch", "dev_overfit"]


@dataclass(frozen=True, kw_only=True)
class GapKind:
    """One gap.

    Attributes:
        name: its key in JSON; `noun` is its name in a sentence, and `cause` its name as the target of a step.
        meaning: what a large gap means, in a few words.
        symptom: what the network does if the gap is large; takes its {size}.
        action: what to do first.
        finding: code of the finding that fires if the gap is large.
        board: the board whose remedies close the gap; "none" if only a person can.
        judged_on: the part whose rows, paired, are used to judge a step against the gap.
        absent: why the gap was not measured.
        stop: code of a run that ends with this gap and nothing promising left to try.
        left: text of such a run; takes the gap's {size}, the training {rows} and the {wanted} rows.
    """

    name: GapName
    noun: str
    cause: str
    meaning: str
    symptom: str
    action: str
    finding: str
    board: Board
    judged_on: Part
    absent: str
    stop: Literal["bias", "more data", "mismatch", "dev used up"]
    left: str


GAPS: Mapping[GapName, GapKind] = {
    kind.name: kind
    for kind in (
        GapKind(
            name="avoidable_bias",
            noun="avoidable bias",
            cause="bias",
            meaning="underfitting",
            symptom="underfits ({size} of avoidable bias)",
            action="First fit the training set: a bigger network, longer training, a better optimizer.",
            finding="WF101",
            board="optimization",
            judged_on="train",
            absent="no train error",
            stop="bias",
            left="The network's train error is still {size} above the reference, and no further step helps: "
            "look for more informative columns, or check the reference.",
        ),
        GapKind(
            name="variance",
            noun="variance",
            cause="variance",
            meaning="overfitting",
            symptom="overfits ({size} of variance)",
            action="Next: collect more data, or regularize.",
            finding="WF102",
            board="regularization",
            judged_on="dev",
            absent="no dev error",
            stop="more data",
            left="More data would help now: about {wanted} training rows (there are {rows}) would bring the "
            "variance of {size} within the tolerance.",
        ),
        GapKind(
            name="mismatch",
            noun="mismatch",
            cause="mismatch",
            meaning="dev differs from train",
            symptom="meets different data on dev than in training ({size} of mismatch)",
            action="Next: collect training data like that in deployment.",
            finding="WF301",
            board="data",
            judged_on="dev",
            absent="no train-dev set",
            stop="mismatch",
            left="{size} of the error comes from dev rows unlike the training rows: collect training rows like those "
            "in use.",
        ),
        GapKind(
            name="dev_overfit",
            noun="dev overfit",
            cause="dev overfit",
            meaning="dev was used too often",
            symptom="was fitted too closely to dev ({size} of dev overfit)",
            action="Next: a bigger dev set.",
            finding="WF401",
            board="none",
            judged_on="test",
            absent="no test error",
            stop="dev used up",
            left="The dev error is too low by {size}: draw a larger dev set before you choose again.",
        ),
    )
}
"""The gaps by name, in the order in which they are treated."""

GAP_OF_BOARD: Mapping[Board, GapKind] = {kind.board: kind for kind in GAPS.values() if kind.board != "none"}
"""The gap that each board closes, unless a remedy states another one."""
