"""The whole job on a folder of pictures: one command, a sealed test set, predictions and a page."""

from __future__ import annotations

import base64
import io
import json
import re
import shutil

import numpy as np
import pytest
from picture_cases import write_folder
from PIL import Image
from sklearn.datasets import load_digits

import wellfit as wf
from wellfit.cli import main
from wellfit.exceptions import BadInput, Refusal
from wellfit.records.config import Config

ROWS = 240


def digits(rows=ROWS, *, classes=4):
    found = load_digits(n_class=classes)
    chosen = np.random.default_rng(0).permutation(len(found.target))[:rows]
    return [
        (f"digit {found.target[row]}", (found.images[row] * 255 / 16).astype(np.uint8)[:, :, None]) for row in chosen
    ]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_folder(tmp_path_factory.mktemp("data") / "digits", digits())


@pytest.fixture(scope="module")
def finished(folder, tmp_path_factory):
    """One run, made once; tests that write to it copy it first."""
    out = tmp_path_factory.mktemp("run") / "digits.wellfit"
    return wf.run(folder, budget="600updates", out=out, ensemble=False, human_error=0.0, tolerance=0.001)


@pytest.fixture
def copied(finished, tmp_path):
    shutil.copytree(finished.path, tmp_path / "copy.wellfit")
    return wf.open_experiment(tmp_path / "copy.wellfit")


def test_a_folder_of_class_folders_needs_no_target(finished):
    split = finished.split
    assert split.schema.target == "label"
    assert split.schema.classes == tuple(f"digit {digit}" for digit in range(4))
    assert sum(split.rows.values()) == ROWS


def test_the_network_is_convolutional_and_learns(finished):
    configs = [Config.from_json(entry.body["config"]) for entry in finished.entries() if entry.kind == "training"]
    assert {config.network.kind for config in configs} == {"conv"}
    body = finished.to_json()
    assert body["errors"]["dev"]["value"] < 0.1
    assert body["references"]["dummy"] > 0.6


def test_the_step_against_variance_tries_augmentation(folder, tmp_path):
    experiment = wf.run(folder, budget="900updates", out=tmp_path / "e", only="regularize", ensemble=False)
    sweeps = [entry.body for entry in experiment.entries() if entry.kind == "sweep"]
    assert sweeps[0]["over"]["augment"] == [0.0, 0.5, 1.0] or sweeps[0]["over"]["augment"] == [0.0, 1.0]
    assert {row["knobs"].get("augment", 0.0) for row in sweeps[0]["members"]} == set(sweeps[0]["over"]["augment"])


def test_digits_are_not_mirrored(finished):
    (config,) = {
        entry.body["config"]["augmentation"]["flip_horizontal"] if "augmentation" in entry.body["config"] else 0
        for entry in finished.entries()
        if entry.kind == "training"
    }
    assert config == 0


def test_the_page_shows_what_augmentation_does(finished):
    page = finished.report().read_text()
    assert "Does the label survive augmentation?" in page
    png = re.search(r"data:image/png;base64,([A-Za-z0-9+/=]+)", page)[1]
    sheet = Image.open(io.BytesIO(base64.b64decode(png)))
    assert sheet.size == (7 * 10 - 2, 4 * 10 - 2)
    pixels = np.asarray(sheet)
    first = pixels[:8, :8]
    assert any(np.array_equal(first, each[:, :, 0]) for name, each in digits() if name == "digit 0")
    assert not np.array_equal(first, pixels[:8, 10:18])
    assert len(page) < 1_000_000


def test_a_page_to_share_shows_no_picture(copied):
    assert "data:image/png" not in copied.report(redact=True).read_text()


def test_the_same_command_again_prints_its_result_and_other_pictures_are_refused(folder, finished, tmp_path):
    again = wf.run(folder, budget="600updates", out=finished.path, ensemble=False, human_error=0.0, tolerance=0.001)
    assert again.to_json() == finished.to_json()
    other = shutil.copytree(folder, tmp_path / "digits")
    with pytest.raises(Refusal, match="must keep its path"):
        wf.run(other, budget="600updates", out=finished.path)


def test_a_changed_folder_is_refused(tmp_path):
    root = write_folder(tmp_path / "p", digits(80, classes=2))
    wf.split(root, out=tmp_path / "e.wellfit")
    (root / "digit 0" / "more.png").write_bytes(next((root / "digit 1").iterdir()).read_bytes())
    with pytest.raises(Refusal, match="whose pictures, sizes or modification times"):
        wf.run(root, out=tmp_path / "e.wellfit")


def test_new_pictures_are_predicted_in_the_order_of_their_names(finished, folder, tmp_path):
    new = tmp_path / "new"
    new.mkdir()
    files = sorted(folder.rglob("*.png"))[::20]
    for number, path in enumerate(files):
        shutil.copy(path, new / f"{number:03d}.png")
    found = finished.predict(new)
    assert found["file"].to_pylist() == [f"{number:03d}.png" for number in range(len(files))]
    assert found.column_names == ["file", "prediction", *(f"p_digit {digit}" for digit in range(4))]
    right = [path.parent.name == label for path, label in zip(files, found["prediction"].to_pylist(), strict=True)]
    assert sum(right) >= 0.8 * len(files)
    assert finished.predict(new, out=tmp_path / "p.csv") == len(files)


def test_a_file_among_new_pictures_that_is_none_is_refused(finished, tmp_path):
    (tmp_path / "a.png").write_text("no picture")
    with pytest.raises(BadInput, match="can"):
        finished.predict(tmp_path)


def test_the_test_pictures_are_opened_once_also_when_the_folder_is_gone(copied):
    opening = copied.unseal()
    assert opening.error.rows == copied.split.rows["test"]
    assert opening.error.value < 0.2
    assert set(opening.references) == {"dummy", "linear", "trees"}
    with pytest.raises(Refusal):
        copied.unseal()


def test_a_model_travels_as_a_folder(finished, folder, tmp_path):
    wf.export(finished, tmp_path / "model")
    new = tmp_path / "new"
    shutil.copytree(folder / "digit 1", new)
    assert wf.load_model(tmp_path / "model").predict(new).equals(finished.predict(new))


def test_a_table_of_paths_is_run_and_predicted(folder, tmp_path):
    place = shutil.copytree(folder, tmp_path / "p")
    lines = [f"p/{path.relative_to(place)},{path.parent.name}" for path in sorted(place.rglob("*.png"))]
    (tmp_path / "t.csv").write_text("\n".join(["where,what", *lines]))
    (tmp_path / "new.csv").write_text("\n".join(["where", *(line.split(",")[0] for line in lines[:5])]))
    experiment = wf.run(
        tmp_path / "t.csv", target="what", pictures="where", budget="200updates", out=tmp_path / "e", augment="none"
    )
    assert experiment.predict(tmp_path / "new.csv").num_rows == 5


def command(capsys, *arguments):
    code = main([str(each) for each in arguments])
    return code, *capsys.readouterr()


def test_the_command_line_takes_a_folder(folder, tmp_path, capsys):
    place = tmp_path / "e"
    code, out, err = command(
        capsys, "run", folder, "--budget", "300updates", "-o", place, "--augment", "light", "--json"
    )
    assert code == 0, err
    assert json.loads(out)["best"]["network"]["kind"] == "conv"
    options = ("--kind", "conv", "--widths", "8,8", "--epochs", "2", "--augment", ".5")
    assert command(capsys, "train", place, *options)[0] == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--augment", "rotat=3"), "rotate"),
        (("--picture-size", "3"), "from 8 to 512"),
        (("--move-source",), "--move-source must be used with one table"),
        (("--pictures", "where", "--target", "what"), "must name a column of a table"),
    ],
)
def test_a_wrong_option_is_refused_before_anything_is_made(folder, tmp_path, capsys, arguments, words):
    code, out, err = command(capsys, "run", folder, "-o", tmp_path / "e", "--budget", "60updates", *arguments)
    assert (code, out) == (2, "")
    assert words in err
    assert not (tmp_path / "e").exists()


def test_augmentation_of_a_table_is_refused(cancer_csv, tmp_path):
    with pytest.raises(BadInput, match="augment must be used with pictures"):
        wf.run(cancer_csv, target="target", augment="light", out=tmp_path / "e", budget="60updates")
