"""A dev score that may be asked again and again: the parameter-free Ladder (Blum and Hardt, 2015).

It answers with a new score only when a candidate is better than the best so far by more than chance explains; all else
learns nothing. Verified by simulation against the majority attack, in which a plain dev score is fooled.
"""

from __future__ import annotations

import math

import numpy as np

from wellfit._typing import Floats


class Ladder:
    """The best score so far, as a person may see it.

    Args:
        rows: number of dev rows.
    """

    def __init__(self, rows: int) -> None:
        self._rows = rows
        self._best: Floats | None = None
        self.score = math.inf

    def ask(self, losses: Floats) -> float:
        """Show a candidate's losses [rows]; the best score so far, rounded to 1 / rows.

        A candidate is accepted when its mean loss is below the best by more than one standard error of the difference.
        """
        mean = float(losses.mean())
        if self._best is None:
            accepted = True
        else:
            error = float((losses - self._best).std(ddof=1)) / math.sqrt(self._rows)
            accepted = mean < self.score - error
        if accepted:
            self._best = np.asarray(losses, np.float64)
            self.score = round(mean * self._rows) / self._rows
        return self.score
