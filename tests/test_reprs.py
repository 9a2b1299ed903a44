"""What a person sees who types a name in a notebook or a debugger: a few lines, whatever the object holds."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
import torch

import wellfit as wf

MOST_LINES, MOST_CHARACTERS = 5, 500
CONFIG = wf.Config(optimization=wf.Optimization(epochs=2))


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    """One object of every class that a public function returns or a person makes, by name."""
    folder, columns = tmp_path_factory.mktemp("reprs"), np.random.default_rng(0).normal(size=(200, 2))
    labels = np.where(columns[:, 0] > 0, "yes", "no")
    split = wf.split(pa.table({"a": columns[:, 0], "b": columns[:, 1], "y": labels}), target="y")
    frame = pa.table({"a": columns[:, 0], "b": columns[:, 1], "y": labels})
    experiment = wf.run(frame, target="y", budget="300updates", out=folder / "e.wellfit")
    wf.export(experiment, folder / "model")
    net = torch.nn.Sequential(torch.nn.Linear(2, 8), torch.nn.ReLU(), torch.nn.Linear(8, 2))
    study = wf.Study(folder / "s.wellfit", knobs={"width": wf.size(8, 64)})
    return {
        "split": split,
        "outcome": wf.train(split, CONFIG),
        "sweep": wf.sweep(split, CONFIG, over={"l2": [0.0, 1.0]}),
        "experiment": experiment,
        "diagnosis": wf.diagnose(experiment),
        "diagnosis of rows": wf.diagnose(split),
        "errors": wf.errors(experiment),
        "comparison": wf.compare(experiment, experiment),
        "model": wf.load_model(folder / "model"),
        "check": wf.check(net, columns, columns[:, 0] > 0),
        "passes": wf.mc_dropout(torch.nn.Dropout(), columns, 3),
        "study": study,
        "trial": study.ask(),
        "config": CONFIG,
        "estimator": wf.NetClassifierCV(),
        "sizes": wf.plan_sizes(1000),
    }


def test_a_repr_is_short(shown):
    for name, each in shown.items():
        lines = repr(each)
        assert lines.count("\n") < MOST_LINES, name
        assert len(lines) <= MOST_CHARACTERS, (name, lines[:200])
        assert lines.startswith(f"{type(each).__name__}("), name


@pytest.mark.parametrize("name", ["diagnosis", "diagnosis of rows", "check", "sweep", "errors"])
def test_what_holds_a_table_gives_it(name, shown):
    assert shown[name].to_frame().num_columns > 1
