"""Pictures that are no data: one message and exit code 2 from the command line and from Python, and nothing is made."""

from __future__ import annotations

import json

import pytest
from picture_cases import squares, write_folder
from PIL import Image

import wellfit as wf
from wellfit.cli import main
from wellfit.exceptions import BadInput, Refusal

ROWS = 60


def loose(root):
    for name, pixels in squares(4):
        Image.fromarray(pixels).save(root / f"{name}.png")
    return root


def one_class(root):
    return write_folder(root, squares(ROWS, classes=("only",)))


def no_pictures(root):
    (root / "a").mkdir()
    (root / "a" / "moving.gif").write_bytes(b"GIF89a")
    return root


def one_broken(root, name, body):
    write_folder(root, squares(ROWS))
    (root / "light" / name).write_bytes(body)
    return root


def one_pixel(root):
    write_folder(root, squares(ROWS))
    Image.new("L", (1, 1)).save(root / "light" / "one.png")
    return root


def moving(root):
    write_folder(root, squares(ROWS))
    first, *others = (Image.fromarray(pixels) for _, pixels in squares(3))
    first.save(root / "light" / "moving.png", save_all=True, append_images=others)
    return root


def a_class_of_broken_files(root):
    write_folder(root, squares(ROWS, classes=("whole",)))
    (root / "broken").mkdir()
    (root / "broken" / "a.png").write_bytes(b"")
    return root


BAD = {
    "loose": (loose, "2 outside any class folder"),
    "one class": (one_class, "only 'only'"),
    "no pictures": (no_pictures, ".png or .jpg"),
    "empty file": (lambda root: one_broken(root, "e.png", b""), "1 of 61 that cannot be read: light/e.png"),
    "text": (lambda root: one_broken(root, "t.png", b"hello"), "1 of 61 that cannot be read: light/t.png"),
    "one pixel": (one_pixel, "1 of 61 that cannot be read: light/one.png"),
    "moving": (moving, "1 of 61 that cannot be read: light/moving.png"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_pictures_are_refused_with_one_message(tmp_path, capsys, case):
    make, words = BAD[case]
    (tmp_path / "p").mkdir()
    root, out = make(tmp_path / "p"), tmp_path / "e.wellfit"
    assert main(["run", str(root), "-o", str(out), "--budget", "60updates", "-q"]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    assert words in said.err
    with pytest.raises((BadInput, Refusal)):
        wf.split(root, out=out)
    assert not out.exists()


def test_what_is_left_out_is_counted_and_listed_in_the_split(tmp_path, capsys):
    root = one_broken(tmp_path / "p", "e.png", b"")
    phones = one_broken(tmp_path / "phones", "t.png", b"hello")
    out = tmp_path / "e.wellfit"
    arguments = ["split", str(root), "--deployment-data", str(phones), "--skip-corrupt", "-o", str(out), "--json"]
    assert main(arguments) == 0
    body = json.loads(capsys.readouterr().out)
    assert body["skipped"] == {"light/e.png": "an empty file", "--deployment-data light/t.png": "not a picture"}
    assert "files left out because they cannot be read: 2" in body["policy"]
    assert sum(count or 0 for count in body["rows"].values()) == 2 * ROWS
    found = wf.open_experiment(out).split
    assert found.skipped == body["skipped"]


def test_a_class_that_is_left_out_whole_is_refused(tmp_path, capsys):
    root = a_class_of_broken_files(tmp_path / "p")
    assert main(["split", str(root), "--skip-corrupt", "-o", str(tmp_path / "e"), "-q"]) == 2
    assert "at least two classes" in capsys.readouterr().err
    assert not (tmp_path / "e").exists()


def test_columns_that_nobody_dropped_say_why_they_are_no_features(tmp_path):
    schema = wf.split(write_folder(tmp_path / "p", squares(ROWS)), drop=("sharpness",)).schema
    notes = {column.name: column.note for column in schema.dropped}
    assert notes["sharpness"] == "asked"
    assert notes["width"] == "the same in all pictures"
    assert "asked" not in (notes["file"], notes["look"])
