"""Names for the few types that every layer shares."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

Floats: TypeAlias = npt.NDArray[np.floating[Any]]
Real: TypeAlias = np.floating[Any]
Integers: TypeAlias = npt.NDArray[np.integer[Any]]
Booleans: TypeAlias = npt.NDArray[np.bool_]

Json: TypeAlias = dict[str, Any]
"""One JSON object."""

Notify: TypeAlias = Callable[[Mapping[str, Any]], None]
"""A function that receives one event (`{"event": "...", ...}`) while a stage runs."""

Task = Literal["classification", "regression"]
Part = Literal["train", "train_dev", "dev", "test"]
Board = Literal["optimization", "regularization", "data", "none"]


def ignore_events(_event: Mapping[str, Any]) -> None:
    """Ignore an event; this is the default `notify` of every stage."""
