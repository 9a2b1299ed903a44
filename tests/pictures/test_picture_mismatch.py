"""Pictures of deployment unlike those of training: named, and trained toward."""

from __future__ import annotations

import numpy as np
import pytest
from picture_cases import write_folder
from PIL import Image, ImageFilter
from sklearn.datasets import load_digits

import wellfit as wf
from wellfit.diagnosis.findings import CATALOGUE

SIDE = 16


def blurred(image):
    return image.filter(ImageFilter.GaussianBlur(2.2))


def written(root, *, rows, change):
    found = load_digits(n_class=5)
    pictures = []
    for row in rows:
        image = Image.fromarray((found.images[row] * 255 / 16).astype(np.uint8)).resize((SIDE, SIDE), 0)
        pictures.append((f"digit {found.target[row]}", np.asarray(change(image))[:, :, None]))
    return write_folder(root, pictures)


def run(place, *, change):
    order = np.random.default_rng(0).permutation(len(load_digits(n_class=5).target))
    train = written(place / "train", rows=order[:450], change=lambda image: image)
    deployed = written(place / "deployed", rows=order[450:850], change=change)
    return wf.run(
        train,
        deployment_data=deployed,
        budget="1500updates",
        only="augment_toward",
        augment="none",
        human_error=0.0,
        out=place / "e",
    )


@pytest.fixture(scope="module")
def mended(tmp_path_factory):
    return run(tmp_path_factory.mktemp("blurred"), change=blurred)


def findings(experiment):
    return {found.code: found for found in experiment.diagnose().findings}


def test_blurred_deployment_is_named_with_its_factor(mended):
    found = findings(mended)
    assert found["WF303"].status == "fired"
    assert "dev pictures are blurrier: " in found["WF303"].evidence


def test_the_network_sees_the_difference_too(mended):
    found = findings(mended)["WF302"]
    assert found.status == "fired"
    assert found.title == CATALOGUE["WF302"].title


def test_training_toward_deployment_wins_back_half_of_the_loss(mended):
    (step,) = mended.to_json()["steps"]
    assert (step["kind"], step["board"], step["kept"]) == ("augment_toward", "data", True)
    assert "blur 0 -> " in step["did"]
    lost = step["gaps_before"]["mismatch"]["value"]
    assert lost > 0.1
    assert step["got"] >= 0.5 * lost


def test_the_page_shows_the_step_and_the_range(mended):
    page = mended.report().read_text()
    assert "augment toward" in page
    assert "blur of pictures" in page


def test_a_plan_remembers_the_ranges(mended):
    (entry,) = [each.body for each in mended.entries() if "ranges" in each.body and "before" in each.body]
    assert entry["ranges"]["blur"] > 1


def test_untouched_deployment_pictures_raise_no_alarm(tmp_path):
    order = np.random.default_rng(1).permutation(len(load_digits(n_class=5).target))
    train = written(tmp_path / "train", rows=order[:450], change=lambda image: image)
    deployed = written(tmp_path / "deployed", rows=order[450:], change=lambda image: image)
    wf.split(train, deployment_data=deployed, out=tmp_path / "e")
    found = {each.code: each.status for each in wf.diagnose(tmp_path / "e").findings}
    assert "fired" not in (found["WF302"], found["WF303"])
