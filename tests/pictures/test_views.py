"""Test-time augmentation: the average over views, whatever pictures stand beside, and its price."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from picture_cases import prepared_digits, squares, write_folder

import wellfit as wf
from wellfit.cli import main
from wellfit.data.prepare import Arrays
from wellfit.exceptions import BadInput
from wellfit.experiment.predictions import with_views
from wellfit.records.augmentation import NOTHING, Augmentation
from wellfit.records.config import Config, Regularization
from wellfit.training.monte_carlo import average_often
from wellfit.training.pictures import averaged_views, view_of
from wellfit.training.tensors import Part

DATA = prepared_digits()
SHAPE = (8, 8, 1)


def brightest(arrays: Arrays):
    """A stand-in for a network: what it says of a picture depends on that picture alone."""
    return np.stack([arrays.numeric.max(axis=1), arrays.numeric[:, 27]], axis=1)


def some(rows):
    return Arrays(DATA.dev.numeric[rows], DATA.dev.codes[rows], DATA.dev.target[rows])


def test_views_that_change_nothing_are_the_prediction():
    found = averaged_views(brightest, (NOTHING, 1.0), shape=SHAPE, views=5)(DATA.dev)
    np.testing.assert_allclose(found, brightest(DATA.dev), rtol=1e-6)


def test_the_average_is_over_the_picture_and_its_views():
    darker = (replace(NOTHING, brightness=0.5), 1.0)
    seen = []

    def keep(arrays):
        seen.append(arrays.numeric.copy())
        return brightest(arrays)

    found = averaged_views(keep, darker, shape=SHAPE, views=4)(DATA.dev)
    assert len(seen) == 4
    np.testing.assert_array_equal(seen[0], DATA.dev.numeric)
    assert all(not np.array_equal(seen[0], view) for view in seen[1:])
    np.testing.assert_allclose(found, np.mean([brightest(replace(DATA.dev, numeric=view)) for view in seen], axis=0))


def test_a_prediction_does_not_depend_on_the_pictures_beside():
    predict = averaged_views(brightest, (Augmentation(), 1.0), shape=SHAPE, views=6)
    rows = np.array([5, 2, 9])
    np.testing.assert_allclose(predict(some(rows)), predict(DATA.dev)[rows], rtol=1e-6)


def part(strength, weight=1.0, **ranges):
    knobs = Regularization(augment=strength)
    config = Config(regularization=knobs, augmentation=replace(Augmentation(), erase=0.3, noise=0.1, **ranges))
    return Part(weight, config, {})


def test_views_are_those_of_training_without_what_only_takes_away():
    ranges, strength = view_of([part(0.2, 0.3), part(0.5, 0.7, rotate=20)], DATA.preparation)
    assert (ranges.rotate, ranges.erase, ranges.noise, strength) == (20, 0, 0, 0.5)


def test_a_network_that_was_never_augmented_gets_light_views_and_no_mirrors_of_digits():
    ranges, strength = view_of([part(0.0)], DATA.preparation)
    assert (ranges.rotate, ranges.flip_horizontal, strength) == (6.0, 0, 1.0)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    place = tmp_path_factory.mktemp("views")
    root = write_folder(place / "data", squares(120))
    return wf.run(root, budget="200updates", out=place / "e", ensemble=False), write_folder(place / "new", squares(8))


def test_predict_and_diagnose_take_views_and_tell_their_price(trained, tmp_path, capsys):
    experiment, new = trained
    assert main(["predict", str(experiment.path), str(new), "-o", str(tmp_path / "p.csv"), "--views", "4"]) == 0
    assert "8 predictions" in (told := capsys.readouterr().out)
    assert "each averaged over 4 views" in told
    assert main(["diagnose", str(experiment.path), "--views", "4", "--json"]) == 0
    body = json.loads(capsys.readouterr().out)["views"]
    assert body["views"] == 4
    assert body["seconds_per_thousand"]["averaged"] > body["seconds_per_thousand"]["without"]
    assert "times as long" in body["sentence"]


def test_a_saved_model_averages_the_same_views(trained, tmp_path):
    experiment, new = trained
    wf.export(experiment, tmp_path / "model")
    assert wf.load_model(tmp_path / "model").predict(new, views=3).equals(experiment.predict(new, views=3))
    assert not experiment.predict(new, views=3).equals(experiment.predict(new))


def test_each_view_gets_its_passes_with_dropout(trained):
    experiment, preparation = trained[0], trained[0].prepared.preparation
    config = replace(experiment.parts[0].config, regularization=Regularization(keep_prob=0.7))
    parts = [replace(part, config=config) for part in experiment.parts]
    arrays = experiment.prepared.dev
    found = with_views(parts, preparation, views=3, passes=4)(arrays)
    several = average_often(preparation, parts, passes=4)
    ranges = view_of(parts, preparation)
    np.testing.assert_array_equal(
        found, averaged_views(several, ranges, shape=preparation.schema.picture, views=3)(arrays)
    )
    assert not np.array_equal(found, with_views(parts, preparation, views=3)(arrays))


@pytest.mark.parametrize("views", [0, 1_000])
def test_a_number_of_views_out_of_range_is_refused(trained, tmp_path, capsys, views):
    experiment, new = trained
    out = tmp_path / "p.csv"
    assert main(["predict", str(experiment.path), str(new), "-o", str(out), "--views", str(views)]) == 2
    assert "views must be from 1 to 256" in capsys.readouterr().err
    assert not out.exists()


def test_a_table_has_no_views(cancer_csv, tmp_path):
    experiment = wf.run(cancer_csv, target="target", out=tmp_path / "e", budget="60updates", ensemble=False)
    with pytest.raises(BadInput, match="several views must be of pictures"):
        experiment.views(4)
    shutil.rmtree(tmp_path / "e")
