"""A saved model: opened as it was saved, refused when it was changed, and never executed."""

from __future__ import annotations

import hashlib
import json
import math
import os
import pickle
from dataclasses import replace

import numpy as np
import pytest
from safetensors.numpy import load_file, save

from wellfit.exceptions import BadInput, Refusal
from wellfit.stats.calibration import tempered
from wellfit.travel.folder import ABOUT, CARD, WEIGHTS, load_model, save_model


@pytest.fixture
def saved(model, tmp_path):
    save_model(model, tmp_path / "m", card="# a card")
    return tmp_path / "m"


def test_a_saved_model_predicts_the_same(model, new, saved):
    opened = load_model(saved)
    assert opened.predict(new).equals(model.predict(new))
    assert (saved / CARD).read_text() == "# a card"


def test_an_average_is_the_weighted_mean_of_its_parts(model, new):
    arrays = model.preparation.transform(new, with_target=False)
    alone = [type(model)(model.goal, model.preparation, (part,)) for part in model.parts]
    bare = [type(each)(each.goal, each.preparation, (type(each.parts[0])(1.0, *_rest(each)),)) for each in alone]
    first, second, third = (each.of_arrays(arrays) for each in bare)
    bare_average = replace(model, temperature=1.0).of_arrays(arrays)
    np.testing.assert_allclose(bare_average, 0.5 * first + 0.25 * second + 0.25 * third, rtol=1e-12)


def test_the_average_is_tempered_and_not_its_parts(model, new):
    arrays = model.preparation.transform(new, with_target=False)
    average = replace(model, temperature=1.0).of_arrays(arrays)
    np.testing.assert_array_equal(model.of_arrays(arrays), tempered(average, model.temperature))


def _rest(model):
    return model.parts[0].config, model.parts[0].state


class Bomb:
    def __reduce__(self):
        return exec, ("raise SystemExit('executed')",)


DAMAGES = {
    "a weight": lambda folder: _flip(folder / WEIGHTS),
    "a truncated file": lambda folder: (folder / WEIGHTS).write_bytes((folder / WEIGHTS).read_bytes()[:100]),
    "no weights": lambda folder: (folder / WEIGHTS).unlink(),
    "a pickle as weights": lambda folder: (folder / WEIGHTS).write_bytes(pickle.dumps(Bomb())),
    "a pickle as JSON": lambda folder: (folder / ABOUT).write_bytes(pickle.dumps(Bomb())),
    "a truncated text": lambda folder: (folder / ABOUT).write_bytes((folder / ABOUT).read_bytes()[:100]),
    "another scale": lambda folder: _edit(folder, lambda body: body["preparation"].update(target_scale=2.5)),
    "a newer version": lambda folder: _edit(folder, lambda body: body.update(schema=2)),
    "no object": lambda folder: (folder / ABOUT).write_text("[]"),
}


def _flip(path):
    raw = bytearray(path.read_bytes())
    raw[-1] ^= 1
    path.write_bytes(bytes(raw))


def _edit(folder, change):
    body = json.loads((folder / ABOUT).read_text())
    change(body)
    (folder / ABOUT).write_text(json.dumps(body))


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_changed_folder_is_refused(damage, saved):
    DAMAGES[damage](saved)
    with pytest.raises(Refusal):
        load_model(saved)


def test_files_beside_the_model_are_not_read(saved, model, new):
    (saved / "state.pkl").write_bytes(pickle.dumps(Bomb()))
    (saved / "__init__.py").write_text("raise SystemExit('executed')")
    assert load_model(saved).predict(new).equals(model.predict(new))


def test_a_path_that_leads_elsewhere_names_no_file(saved, tmp_path, model):
    (tmp_path / "secret.safetensors").write_bytes((saved / WEIGHTS).read_bytes())
    (saved / WEIGHTS).unlink()
    _edit(saved, lambda body: body.update(weights="../secret.safetensors"))
    with pytest.raises(Refusal):
        load_model(saved)


def test_a_folder_that_exists_is_not_overwritten_and_none_is_opened(saved, model, tmp_path):
    with pytest.raises(BadInput, match="exists"):
        save_model(model, saved)
    with pytest.raises(BadInput, match=r"model\.json"):
        load_model(tmp_path / "nothing")


def _weight_of(arrays):
    return next(array for name, array in arrays.items() if name.endswith("weight"))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        pytest.param(lambda body, _: body.update(temperature=0), "temperature 0", id="temperature 0"),
        pytest.param(lambda body, _: body.update(temperature=math.nan), "temperature nan", id="temperature NaN"),
        pytest.param(lambda _, arrays: _weight_of(arrays).fill(math.nan), "not numbers", id="NaN weights"),
    ],
)
def test_what_would_predict_nothing_is_refused_though_it_is_signed(saved, spoil, message):
    body, arrays = json.loads((saved / ABOUT).read_text()), load_file(saved / WEIGHTS)
    spoil(body, arrays)
    weights = save(arrays)
    (saved / WEIGHTS).write_bytes(weights)
    body["weights_sha256"] = hashlib.sha256(weights).hexdigest()
    bare = {name: value for name, value in body.items() if name != "sha256"}
    bare["sha256"] = hashlib.sha256(json.dumps(bare, sort_keys=True).encode()).hexdigest()
    (saved / ABOUT).write_text(json.dumps(bare))
    with pytest.raises(Refusal, match=message):
        load_model(saved)


@pytest.mark.parametrize("name", [ABOUT, WEIGHTS, CARD])
def test_a_link_or_a_pipe_in_the_folder_is_refused_before_anything_is_read(saved, tmp_path, name):
    (saved / name).rename(tmp_path / "elsewhere")
    (saved / name).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(Refusal, match=f"a link at .*{name}"):
        load_model(saved)
    (saved / name).unlink()
    (tmp_path / "elsewhere").rename(saved / name)
    os.mkfifo(saved / "notes")
    with pytest.raises(Refusal, match=r"a pipe or device at .*notes"):
        load_model(saved)
