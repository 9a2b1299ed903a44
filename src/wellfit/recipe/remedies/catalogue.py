"""Every remedy that the recipe can carry out by itself, by its kind.

More data need a person who brings them; a deployment sample and a bigger dev set are only prescribed.
"""

from __future__ import annotations

from collections.abc import Mapping

from wellfit.base.typing import Board
from wellfit.diagnosis.remedy_kinds import REMEDY_KINDS
from wellfit.exceptions import BadInput
from wellfit.recipe.remedies.mismatch import AUGMENT_TOWARD, DROP_ROWS, MORE_DATA, REWEIGHT
from wellfit.recipe.remedies.optimization import OPTIMIZATION
from wellfit.recipe.remedies.regularization import CLOSING, REGULARIZATION
from wellfit.recipe.remedies.remedy import Remedy

DATA: tuple[Remedy, ...] = (AUGMENT_TOWARD, REWEIGHT, MORE_DATA)
"""Remedies that change the training rows."""
FIRST: tuple[Remedy, ...] = (DROP_ROWS,)
"""Remedies that repair the measurement, before anything that it says is treated."""
BY_BOARD: Mapping[Board, tuple[Remedy, ...]] = {
    "optimization": OPTIMIZATION,
    "data": DATA,
    "regularization": REGULARIZATION,
}
"""In the order of boards: train is brought nearer to dev before the sweep, which is judged on dev."""
REMEDIES: Mapping[str, Remedy] = {each.kind: each for each in (*FIRST, *OPTIMIZATION, *DATA, *REGULARIZATION, *CLOSING)}


def require_rows(only: str | None, more_data: object) -> None:
    """Refuse `--only more_data` where nobody has brought rows.

    Raises:
        BadInput: saying how to bring them.
    """
    if only == MORE_DATA.kind and more_data is None:
        raise BadInput(
            "`more_data` must be given rows",
            found=f"--only {only} without a file",
            remedy="Give them with --more-data FILE; `wellfit diagnose EXPERIMENT --refits 24` prices them",
        )


def require_kind(only: str | None, *, early_stopping: bool = False) -> None:
    """Refuse a remedy that the recipe cannot carry out by itself.

    Raises:
        BadInput: naming those that it can; or a remedy that needs leave without it.
    """
    if only is None:
        return
    if only not in REMEDIES:
        known = REMEDY_KINDS.get(only)
        raise BadInput(
            f"--only takes one of {', '.join(REMEDIES)}",
            found=repr(only),
            remedy=f"This remedy needs a person. {known.person}" if known else "Choose one of them",
        )
    if REMEDIES[only].needs_leave and not early_stopping:
        raise BadInput(
            "early stopping turns both boards at once, so it must be allowed",
            found=f"--only {only}",
            remedy="Add --allow-early-stopping, or take --only regularize",
        )
