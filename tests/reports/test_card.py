"""The model card tells what the journal knows, and a stranger's names stay text."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from click.testing import CliRunner

import wellfit as wf
from wellfit.cli.group import wellfit as command
from wellfit.reports.card import model_card

TARGET = "y|<b>`x`[a](b)"


@pytest.fixture(scope="module")
def experiment(tmp_path_factory):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 3))
    frame = pa.table({"a": x[:, 0], "b": x[:, 1], "c": x[:, 2], TARGET: np.where(x[:, 0] > 0, "yes", "no")})
    return wf.run(frame, target=TARGET, budget="200updates", out=tmp_path_factory.mktemp("card") / "e.wellfit")


def test_the_card_has_the_numbers_of_the_journal(experiment):
    card = model_card(experiment.summary())
    assert experiment.split.seal.sha256 in card
    assert f"Train {experiment.split.rows['train']:,}" in card
    assert "The test set has not been opened" in card
    assert experiment.summary().unit.show(experiment.network.losses["dev"]) in card


def test_names_of_a_stranger_stay_text(experiment):
    card = model_card(experiment.summary())
    assert "y|&lt;b>\\`x\\`\\[a](b)" in card.partition("\n")[0]
    # The command to make it again stands in a block of code, which is text.
    assert "<b>" not in card.replace(f"    {experiment.summary().again.command}", "")


def test_a_card_goes_where_the_model_goes_and_names_no_folder(cancer_csv, tmp_path):
    made = wf.run(cancer_csv, target="target", budget="100updates", ensemble=False, out=tmp_path / "e.wellfit")
    card = model_card(made.summary())
    assert str(cancer_csv.parent) not in card
    assert f"wellfit run {cancer_csv.name} --target target" in card


def test_an_opening_is_on_the_card(experiment):
    opening = experiment.unseal()
    card = model_card(experiment.summary())
    assert opening.receipt in card
    assert "The test set has not been opened" not in card


def test_the_command_exports_and_predicts_from_the_folder(experiment, tmp_path):
    frame = tmp_path / "new.csv"
    frame.write_text("a,b,c\n1,2,3\n-1,2,3\n")
    place = tmp_path / "model"
    runner = CliRunner()
    assert runner.invoke(command, ["export", str(experiment.path), "-o", str(place)]).exit_code == 0
    assert runner.invoke(command, ["predict", str(place), str(frame), "-o", str(tmp_path / "p.csv")]).exit_code == 0
    assert (place / "README.md").read_text() == model_card(experiment.summary())
    assert wf.load_model(place).predict(frame).equals(experiment.predict(frame))
