"""A fitted scikit-learn estimator as a model that travels."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from wellfit.data.schema import ClassKind
from wellfit.estimators.net import Net
from wellfit.exceptions import BadInput
from wellfit.goals import default_goal
from wellfit.travel.export import export_model
from wellfit.travel.model import Model

TARGET = "y"


def model_of_estimator(estimator: Net) -> Model:
    """The network of a fitted estimator, with its transforms; columns of an array are called x0, x1, ...

    Raises:
        NotFittedError: before `fit`.
        BadInput: for several targets.
    """
    check_is_fitted(estimator, "model_")
    kept = estimator.model_
    preparation = kept.preparation
    if preparation.targets > 1:
        raise BadInput(
            "a model that travels predicts one number, or one class",
            found=f"{preparation.targets} targets",
            remedy="Fit an estimator for each target, or pickle this one",
        )
    schema = replace(preparation.schema, target=_free(TARGET, preparation.schema.feature_names))
    if schema.classes:
        names = tuple(map(str, estimator.classes_.tolist()))
        schema = replace(schema, classes=names, class_kind=_kind(estimator.classes_))
    return Model(default_goal(schema.task), replace(preparation, schema=schema), kept.parts)


def take_estimator(estimator: Net, out: Path, *, format: str) -> list[Path]:  # noqa: A002
    """Export the network of a fitted estimator; see `export_model`.

    Raises:
        NotFittedError: before `fit`.
        BadInput: several targets, an unknown format, something that exists, or a missing extra.
        NoRoom: the disk is full.
    """
    return export_model(model_of_estimator(estimator), out, format=format, card=_card(estimator))


def _card(estimator: Net) -> str:
    """What an estimator knows of itself: its knobs and, where it searched, its diagnosis; as text that is not read."""
    told = [repr(estimator), repr(estimator.config_), str(getattr(estimator, "diagnosis_", ""))]
    blocks = ["\n".join(f"    {line}" for line in text.splitlines()) for text in told if text]
    return "\n\n".join([f"# {type(estimator).__name__}", *blocks]) + "\n"


def _kind(classes: Any) -> ClassKind:
    kinds: dict[str, ClassKind] = {"i": "integer", "u": "integer", "b": "boolean"}
    return kinds.get(np.asarray(classes).dtype.kind, "string")


def _free(name: str, taken: tuple[str, ...]) -> str:
    while name in taken:
        name += "_"
    return name
