"""Take the model out of an experiment."""

from __future__ import annotations

from pathlib import Path

from wellfit.experiment.experiment import Experiment
from wellfit.travel.card import model_card
from wellfit.travel.export import export_model
from wellfit.travel.model import Model


def model_of(experiment: Experiment) -> Model:
    """The network that an experiment stands for, with its transforms.

    Raises:
        Refusal: when nothing was trained yet.
    """
    return Model(experiment.goal, experiment.prepared.preparation, experiment.parts, experiment.network.temperature)


def take(experiment: Experiment, out: Path, *, format: str) -> list[Path]:  # noqa: A002
    """Export an experiment's model; see `export_model`.

    Raises:
        Refusal: when nothing was trained yet.
        BadInput: an unknown format, or something that exists.
        NoRoom: the disk is full.
    """
    return export_model(model_of(experiment), out, format=format, card=model_card(experiment.summary()))
