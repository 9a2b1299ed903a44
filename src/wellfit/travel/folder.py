"""A model as a folder of safetensors and JSON, which is checked when it is opened and never executed.

model.json            goal, transforms, configs, and the SHA-256 of the weights and of itself
weights.safetensors   "<part>/<parameter>" -> array
README.md             the model card
"""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Unpack

import numpy as np
import pyarrow as pa
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from wellfit.base.arguments import named
from wellfit.base.files import whole_folder, write_whole
from wellfit.base.plain_files import read_json, require_plain
from wellfit.base.typing import Floats, Json
from wellfit.data.dialect import CsvFormat, FormatArguments
from wellfit.data.prepare import Arrays, Preparation
from wellfit.exceptions import BadInput, Refusal
from wellfit.experiment.predictions import predicted_batches, with_views, write_batches
from wellfit.records.config import Config
from wellfit.records.goals import Goal, goal_named
from wellfit.training.tensors import Part, at_temperature, predict_average

SCHEMA = 1
ABOUT, WEIGHTS, CARD = "model.json", "weights.safetensors", "README.md"


def save_model(model: Model, folder: Path, *, card: str = "") -> None:
    """Write a model into a new folder, either completely or not at all."""
    if folder.exists():
        raise BadInput("a saved model must get a new folder", found=f"that {folder} exists", remedy="Name another")
    weights = save(
        {
            f"{place}/{name}": np.ascontiguousarray(array)
            for place, part in enumerate(model.parts)
            for name, array in part.state.items()
        }
    )
    body = _signed(
        {
            "schema": SCHEMA,
            "goal": model.goal.name,
            "preparation": model.preparation.to_json(),
            "parts": [{"weight": part.weight, "config": part.config.to_json()} for part in model.parts],
            **({"temperature": model.temperature} if model.temperature != 1.0 else {}),
            "weights_sha256": hashlib.sha256(weights).hexdigest(),
        }
    )
    with whole_folder(folder) as part:
        write_whole(part / WEIGHTS, lambda file: file.write(weights))
        write_whole(part / ABOUT, lambda file: file.write(json.dumps(body, indent=1).encode()))
        if card:
            write_whole(part / CARD, lambda file: file.write(card.encode()))


def is_saved_model(folder: Path) -> bool:
    """Return True if a folder looks like a saved model."""
    return (folder / ABOUT).is_file()


@named
def load_model(folder: Path | str) -> Model:
    """Open a saved model.

    Raises:
        BadInput: if there is no saved model.
        Refusal: if the model was changed or is incomplete, or a newer wellfit wrote it.
    """
    place = Path(folder)
    if not is_saved_model(place):
        raise BadInput(
            "a saved model must be a folder with model.json", found=f"no {place / ABOUT}", remedy="Check the path"
        )
    require_plain(place)
    body = _about(place / ABOUT)
    try:
        with (place / WEIGHTS).open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        if digest != body["weights_sha256"]:
            raise ValueError("weights that differ from those that were saved")
        arrays = load_file(place / WEIGHTS)
        # Ends of bins and the range of outputs may be NaN or infinite: unused.
        if not all(np.isfinite(array).all() for name, array in arrays.items() if name.endswith(("weight", "bias"))):
            raise ValueError("weights that are not numbers")
        return Model(
            goal=goal_named(body["goal"]),
            preparation=Preparation.from_json(body["preparation"]),
            parts=tuple(
                Part(float(part["weight"]), Config.from_json(part["config"]), _state(arrays, place=number))
                for number, part in enumerate(body["parts"])
            ),
            temperature=_positive(float(body.get("temperature", 1.0))),
        )
    except (SafetensorError, KeyError, TypeError, ValueError, OSError) as error:
        raise _damaged(place, repr(error)) from error


def _about(path: Path) -> Json:
    try:
        body = read_json(path)
        known = body["schema"]
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise _damaged(path, repr(error)) from error
    if known != SCHEMA:
        raise Refusal(
            "a saved model must have a version that this wellfit can read",
            found=f"version {known!r} in {path}",
            remedy="Update wellfit",
        )
    if body != _signed(body):
        raise _damaged(path, "content that differs from what was saved")
    return dict(body)


def _signed(body: Json) -> Json:
    bare = {name: value for name, value in body.items() if name != "sha256"}
    text = json.dumps(bare, sort_keys=True)
    return {**bare, "sha256": hashlib.sha256(text.encode()).hexdigest()}


def _positive(temperature: float) -> float:
    if not 0 < temperature < math.inf:
        raise ValueError(f"the temperature {temperature}")
    return temperature


def _state(arrays: dict[str, Floats], *, place: int) -> dict[str, Floats]:
    start = f"{place}/"
    found = {name.removeprefix(start): array for name, array in arrays.items() if name.startswith(start)}
    if not found:
        raise KeyError(f"no weights of part {place}")
    return found


def _damaged(path: Path, why: str) -> Refusal:
    return Refusal(
        "a saved model must be complete and unchanged", found=f"{path}: {why}", remedy="Save the model again"
    )


@dataclass(frozen=True)
class Model:
    """A network or ensemble, with everything that prediction needs.

    Attributes:
        goal: the goal by which the model was chosen.
        preparation: the transforms that were fitted on the training rows.
        parts: the network, or the networks of an ensemble.
        temperature: the temperature of their average (stats/calibration.py); 1 leaves it unchanged.
    """

    goal: Goal
    preparation: Preparation
    parts: tuple[Part, ...]
    temperature: float = 1.0

    def __repr__(self) -> str:
        schema, many = self.preparation.schema, len(self.parts)
        networks = f"average of {many} networks" if many > 1 else "one network"
        return f"Model({schema.task} of {schema.target!r}: {networks}, {self.parts[0].config!r})"

    def __post_init__(self) -> None:
        if any(part.config.network.module for part in self.parts):
            raise BadInput(
                "a saved model must consist of wellfit's own networks",
                found="a module of the user's own",
                remedy="Save its `Outcome.state` together with the code of the module",
            )

    def of_arrays(self, arrays: Arrays) -> Floats:
        """Return probabilities [N, classes] or values [N] for prepared rows."""
        network = at_temperature(predict_average(self.preparation, self.parts), self.temperature)
        return np.asarray(network(arrays), dtype=np.float64)

    def predict(
        self,
        new: Any,
        *,
        out: Path | str | None = None,
        views: int = 1,
        passes: int = 1,
        **csv_format: Unpack[FormatArguments],
    ) -> pa.Table | int:
        """Predict new rows in their order; a file is streamed in constant memory.

        Args:
            new: a file, a data frame, or the rows of a frame.
            out: a .csv or .parquet file to stream to.
            views: number of views of each picture whose predictions are averaged; the time is proportional to it.
            passes: number of passes with dropout that are averaged (Monte-Carlo dropout); 1 means without dropout.
            **csv_format: `delimiter`, `decimal` and `encoding` of a CSV file, which are detected if None.

        Returns:
            `prediction` (and `p_<class>`) as an Arrow table or, with `out`, the number of rows written.

        Raises:
            BadInput: for rows that the transforms cannot process, views of a table, and passes of a network that was
                trained without dropout. Nothing is written then.
        """
        predict = with_views(self.parts, self.preparation, views=views, passes=passes, temperature=self.temperature)
        written = CsvFormat(**csv_format)
        batches = predicted_batches(new, preparation=self.preparation, predict=predict, csv_format=written)
        return write_batches(batches, Path(out), source=new) if out else pa.concat_tables(batches)
