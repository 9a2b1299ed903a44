from __future__ import annotations

import struct
import threading
import time
import zlib

import numpy as np
import pyarrow as pa
import pytest
from picture_cases import squares, write_folder
from PIL import Image
from scipy import ndimage

from wellfit.data.pictures import decoding
from wellfit.data.pictures.cache import cache_folder
from wellfit.data.pictures.listing import PICTURE, PictureOptions, folder_source, is_picture_source
from wellfit.data.pictures.read import picture_batches, read_pictures
from wellfit.data.pictures.schema import pixel_column, pixels_of
from wellfit.exceptions import BadInput

SKIP = PictureOptions(skip_corrupt=True)


def pixels_in(source, **options):
    table, shape = read_pictures(source, **options)
    return table.frame, pixels_of(table.frame.column(PICTURE), shape)


def test_a_folder_of_class_folders_gives_pixels_and_labels(tmp_path):
    pictures = squares(6)
    frame, pixels = pixels_in(write_folder(tmp_path / "p", pictures))
    files, labels = (frame.column(name).to_pylist() for name in ("file", "label"))
    by_file = {file: (label, each) for file, label, each in zip(files, labels, pixels, strict=True)}
    assert len(by_file) == 6
    for number, (name, expected) in enumerate(pictures):
        label, found = by_file[f"{name}/{number:04d}.png"]
        assert label == name
        np.testing.assert_array_equal(found, expected)


def test_grey_pictures_have_one_channel_and_one_in_colour_makes_all_of_them_colour(tmp_path):
    root = write_folder(tmp_path / "p", squares(4, channels=1))
    assert pixels_in(root)[1].shape == (4, 12, 12, 1)
    write_folder(tmp_path / "p" / "more", squares(1))
    assert pixels_in(root)[1].shape == (5, 12, 12, 3)


def test_the_exif_orientation_is_applied(tmp_path):
    root = write_folder(tmp_path / "p", squares(2, side=16))
    smooth = np.zeros((20, 32, 3), np.uint8)
    smooth[:, :16] = 255
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees, clockwise, to see it
    path = root / "light" / "turned.jpg"
    Image.fromarray(smooth).save(path, exif=exif, quality=95)
    frame, _ = pixels_in(root)
    row = frame.column("file").to_pylist().index("light/turned.jpg")
    assert (frame.column("height")[row].as_py(), frame.column("width")[row].as_py()) == (32, 20)
    _, at_32 = pixels_in(root, options=PictureOptions(size=32))
    middle = at_32[row][:, 10:22].mean(axis=(1, 2))
    assert middle[:12].min() > 200  # the left of the file is the top of the picture
    assert middle[-12:].max() < 50


def test_transparency_lies_on_white(tmp_path):
    root = write_folder(tmp_path / "p", squares(2))
    clear = np.zeros((12, 12, 4), np.uint8)
    Image.fromarray(clear).save(root / "light" / "clear.png")
    frame, pixels = pixels_in(root)
    row = frame.column("file").to_pylist().index("light/clear.png")
    assert pixels[row].min() == 255


def test_mixed_sizes_are_fitted_into_one_square_in_the_middle(tmp_path):
    root = write_folder(tmp_path / "p", squares(4, side=20))
    wide = np.zeros((10, 40, 3), np.uint8)
    wide[:, 10:30] = 200
    Image.fromarray(wide).save(root / "light" / "wide.png")
    frame, pixels = pixels_in(root)
    assert pixels.shape[1:] == (20, 20, 3)
    found = pixels[frame.column("file").to_pylist().index("light/wide.png")]
    assert found[8:12, 7:13].min() > 190
    assert found[8:12, :3].max() < 10
    assert len(np.unique(found[:7].reshape(-1, 3), axis=0)) == 1  # above it the mean colour of its edge


def test_pictures_larger_than_64_pixels_are_reduced_unless_asked(tmp_path):
    root = write_folder(tmp_path / "p", squares(2, side=100))
    assert pixels_in(root)[1].shape[1:] == (64, 64, 3)
    assert pixels_in(root, options=PictureOptions(size=100))[1].shape[1:] == (100, 100, 3)
    with pytest.raises(BadInput, match="from 8 to 512"):
        read_pictures(root, options=PictureOptions(size=4))


def test_the_second_start_reads_the_cache_and_a_changed_file_does_not(tmp_path):
    root = write_folder(tmp_path / "p", squares(6))
    events = []
    first, pixels = pixels_in(root, notify=events.append)
    again, same = pixels_in(root, notify=events.append)
    assert [event.get("cached", False) for event in events] == [False, True]
    assert again.equals(first)
    np.testing.assert_array_equal(pixels, same)
    path = root / "light" / "0000.png"
    Image.fromarray(255 - squares(1)[0][1]).save(path)
    assert not np.array_equal(pixels_in(root)[1], pixels)
    assert not [one for one in cache_folder().iterdir() if one.name.startswith(".")]


def deep_png(path, *, kind, channels):
    """A PNG with 16 bits a channel, which Pillow would bring to 8 without a word."""

    def chunk(name, body):
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = struct.pack(">IIBBBBB", 12, 12, 16, kind, 0, 0, 0)
    rows = zlib.compress((b"\0" + bytes(range(12)) * 2 * channels) * 12)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b""))


@pytest.mark.parametrize(("kind", "channels"), [(0, 1), (2, 3), (4, 2), (6, 4)])
def test_sixteen_bits_a_channel_are_refused_in_colour_too(tmp_path, kind, channels):
    root = write_folder(tmp_path / "p", squares(4))
    deep_png(root / "light" / "deep.png", kind=kind, channels=channels)
    with pytest.raises(BadInput, match=r"1 of 5 that cannot.*16 bits"):
        read_pictures(root)


def test_a_phone_may_keep_a_preview_beside_its_picture(tmp_path):
    root = write_folder(tmp_path / "p", squares(4))
    shown, preview = (Image.new("RGB", (12, 12), colour) for colour in ("red", "blue"))
    shown.save(root / "light" / "phone.jpg", "MPO", save_all=True, append_images=[preview])
    frame, pixels = pixels_in(root)
    red, _, blue = pixels[frame.column("file").to_pylist().index("light/phone.jpg")].reshape(-1, 3).mean(axis=0)
    assert red > 250
    assert blue < 5


def broken(root):
    """One of each kind of file that cannot be used, with a word of the reason."""
    good = squares(1)[0][1]
    (root / "light" / "empty.png").write_bytes(b"")
    (root / "light" / "text.png").write_text("this is no picture")
    whole = (root / "light" / "0000.png").read_bytes()
    (root / "light" / "truncated.png").write_bytes(whole[: len(whole) // 2])
    Image.fromarray(good[:1, :1]).save(root / "light" / "one.png")
    Image.fromarray(np.zeros((12, 12), np.uint16)).save(root / "light" / "deep.png")
    frames = [Image.fromarray(good), Image.fromarray(255 - good)]
    frames[0].save(root / "light" / "moving.png", save_all=True, append_images=frames[1:])
    Image.new("1", (10_000, 10_000)).save(root / "light" / "bomb.png")
    return {"empty", "text", "truncated", "one", "deep", "moving", "bomb"}


def test_files_that_cannot_be_used_are_all_named_and_refused(tmp_path):
    root = write_folder(tmp_path / "p", squares(6))
    names = broken(root)
    with pytest.raises(BadInput) as caught:
        read_pictures(root)
    assert f"{len(names)} of {6 + len(names)}" in caught.value.found
    assert "--skip-corrupt" in caught.value.remedy
    assert "bomb.png" in caught.value.found


def test_with_the_flag_they_are_left_out_with_a_warning_and_nothing_else_is_lost(tmp_path, caplog):
    root = write_folder(tmp_path / "p", squares(6))
    whole, expected = pixels_in(root)
    names = broken(root)
    frame, pixels = pixels_in(root, options=SKIP)
    assert frame.drop_columns([PICTURE]).equals(whole.drop_columns([PICTURE]))
    np.testing.assert_array_equal(pixels, expected)
    assert f"{len(names)} of" in caplog.text
    assert {file.split("/")[1].split(".")[0] for file in read_pictures(root, options=SKIP)[0].skipped} == names


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("empty", "an empty file"),
        ("text", "not a picture"),
        ("one", "1 x 1 pixels"),
        ("deep", "16 bits"),
        ("moving", "animated"),
        ("bomb", "pixels"),
        ("truncated", "truncated.png ("),
    ],
)
def test_each_refused_file_says_why(tmp_path, name, reason):
    root = write_folder(tmp_path / "p", squares(6))
    for other in broken(root) - {name}:
        (root / "light" / f"{other}.png").unlink()
    with pytest.raises(BadInput) as caught:
        read_pictures(root)
    assert f"light/{name}.png" in caught.value.found
    assert reason in caught.value.found


@pytest.mark.parametrize(
    ("classes", "loose", "words"),
    [(("only",), 0, "only 'only'"), (("a", "b"), 2, "2 outside any class folder")],
)
def test_a_folder_without_class_folders_is_refused(tmp_path, classes, loose, words):
    root = write_folder(tmp_path / "p", squares(4, classes=classes))
    for number in range(loose):
        Image.fromarray(squares(1)[0][1]).save(root / f"loose{number}.png")
    with pytest.raises(BadInput) as caught:
        read_pictures(root)
    assert words in caught.value.found


def test_a_table_of_paths(tmp_path):
    root = write_folder(tmp_path / "p", squares(6))
    lines = [f"{path.relative_to(tmp_path)},{path.parent.name},7" for path in sorted(root.rglob("*.png"))]
    table = tmp_path / "table.csv"
    table.write_text("\n".join(["where,what,camera", *lines]))
    found, pixels = pixels_in(table, options=PictureOptions(column="where", target="what"))
    _, expected = pixels_in(root)
    np.testing.assert_array_equal(pixels, expected)
    assert found.column("what").to_pylist() == [line.split(",")[1] for line in lines]
    assert found.column("camera").to_pylist() == [7] * 6


@pytest.mark.parametrize("path", ["../outside.png", "/etc/passwd"])
def test_a_path_outside_the_folder_is_refused(tmp_path, path):
    (tmp_path / "in").mkdir()
    Image.fromarray(squares(1)[0][1]).save(tmp_path / "outside.png")
    table = tmp_path / "in" / "table.csv"
    table.write_text(f"where,what\n{path},a\n")
    with pytest.raises(BadInput, match="stay inside"):
        read_pictures(table, options=PictureOptions(column="where", target="what"))


def test_a_picture_that_a_table_names_twice_is_refused_by_name(tmp_path):
    write_folder(tmp_path / "p", squares(2))
    (tmp_path / "t.csv").write_text("where,what\np/light/0000.png,a\np/dark/0001.png,b\np/light/0000.png,b\n")
    with pytest.raises(BadInput, match="1 repeated: p"):
        read_pictures(tmp_path / "t.csv", options=PictureOptions(column="where", target="what"))


def test_pictures_none_of_which_can_be_read_are_counted(tmp_path):
    root = write_folder(tmp_path / "p", squares(6, side=1))
    with pytest.raises(BadInput, match="none among 6 files; the first is dark"):
        read_pictures(root, options=SKIP)


def test_new_pictures_are_never_left_out_and_the_message_does_not_offer_it(tmp_path):
    Image.fromarray(squares(1)[0][1]).save(tmp_path / "0.png")
    (tmp_path / "1.png").write_bytes(b"")
    with pytest.raises(BadInput, match="1 of 2") as caught:
        list(picture_batches(tmp_path, shape=(12, 12, 3)))
    assert "skip" not in caught.value.remedy


def test_arrays(tmp_path):
    pictures = np.stack([pixels for _, pixels in squares(8, channels=1)]).squeeze(3)
    np.savez(tmp_path / "a.npz", images=pictures, labels=np.arange(8) % 2)
    frame, pixels = pixels_in(tmp_path / "a.npz")
    np.testing.assert_array_equal(pixels[..., 0], pictures)
    assert frame.column("label").to_pylist() == [0, 1] * 4


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"images": np.zeros((4, 9, 9), np.float32), "labels": np.zeros(4)}, "float32"),
        ({"images": np.zeros((4, 9, 9), np.uint8), "labels": np.zeros(3)}, r"\(3,\)"),
        ({"images": np.zeros((4, 9, 9), np.uint8)}, "images in"),
        ({"images": np.zeros((4, 1, 1), np.uint8), "labels": np.zeros(4)}, r"\(4, 1, 1\)"),
    ],
)
def test_arrays_that_are_no_pictures_are_refused(tmp_path, arrays, words):
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(BadInput, match=words):
        read_pictures(tmp_path / "a.npz")


def test_new_pictures_come_in_order_without_labels_at_the_shape_of_train(tmp_path):
    for number, (_, pixels) in enumerate(squares(3, side=30)):
        Image.fromarray(pixels).save(tmp_path / f"{number}.png")
    (batch,) = picture_batches(tmp_path, shape=(12, 12, 3))
    assert batch.column("file").to_pylist() == ["0.png", "1.png", "2.png"]
    assert pixels_of(batch.column(PICTURE), (12, 12, 3)).shape == (3, 12, 12, 3)


def test_pixels_survive_their_column_whatever_was_taken_of_it():
    pixels = np.stack([pixels for _, pixels in squares(10)])
    column = pa.chunked_array([pixel_column(pixels)])
    rows = [7, 2, 2]
    np.testing.assert_array_equal(pixels_of(column.take(pa.array(rows)), (12, 12, 3)), pixels[rows])
    np.testing.assert_array_equal(pixels_of(column.slice(3, 4), (12, 12, 3)), pixels[3:7])


def test_measures_tell_what_they_are_called_after(tmp_path):
    rng = np.random.default_rng(0)
    scene = ndimage.gaussian_filter(rng.integers(0, 256, (48, 48, 3)).astype(float), (1, 1, 0)) * 0.7
    changed = {
        "plain": scene,
        "blurred": ndimage.gaussian_filter(scene, (2, 2, 0)),
        "brighter": scene + 60,
        "warm": scene + np.array([40, 0, -20]),
        "grey": np.repeat(scene.mean(axis=2, keepdims=True), 3, axis=2),
    }
    for name, values in changed.items():
        path = tmp_path / "p" / ("a" if name == "plain" else "b") / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(values.clip(0, 255).round().astype(np.uint8)).save(path)
    Image.open(tmp_path / "p" / "a" / "plain.png").save(tmp_path / "p" / "b" / "squeezed.jpg", quality=20)
    frame, _ = pixels_in(tmp_path / "p")
    rows = {one["file"].split("/")[1].split(".")[0]: one for one in frame.drop_columns([PICTURE]).to_pylist()}
    plain = rows["plain"]
    assert rows["blurred"]["sharpness"] < 0.5 * plain["sharpness"]
    assert rows["brighter"]["brightness"] == pytest.approx(plain["brightness"] + 60 / 255, abs=0.01)
    assert rows["brighter"]["sharpness"] == pytest.approx(plain["sharpness"], rel=0.05)
    assert rows["warm"]["warmth"] > plain["warmth"] + 0.15
    assert rows["grey"]["colourfulness"] == 0 < plain["colourfulness"]
    assert rows["squeezed"]["bytes_per_pixel"] < 0.5 * plain["bytes_per_pixel"]
    assert rows["squeezed"]["blockiness"] > 1.2 * plain["blockiness"]


def test_what_counts_as_pictures(tmp_path):
    root = write_folder(tmp_path / "p", squares(2))
    (tmp_path / "none").mkdir()
    (tmp_path / "table.csv").write_text("a,b\n1,2\n")
    assert is_picture_source(root)
    assert is_picture_source(tmp_path / "table.csv", column="a")
    assert not is_picture_source(tmp_path / "none")
    assert not is_picture_source(tmp_path / "table.csv")
    (root / "experiment.json").write_text("{}")
    assert not is_picture_source(root)


def test_a_folder_is_known_by_its_files(tmp_path):
    root = write_folder(tmp_path / "p", squares(3))
    before = folder_source(root)
    assert folder_source(root) == before
    (root / "light" / "0000.png").rename(root / "light" / "other.png")
    assert folder_source(root).sha256 != before.sha256


@pytest.mark.parametrize("sides", [(30, 30, 30, 30), (90, 20, 90, 20)], ids=["two fit", "one is larger than all"])
def test_so_many_pixels_are_in_memory_at_a_time_whatever_the_threads(tmp_path, monkeypatch, sides):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    for number, side in enumerate(sides):
        pixels = np.full((side, side, 3), 40 * number, np.uint8)
        Image.fromarray(pixels).save(tmp_path / "ab"[number % 2] / f"{number}.png")
    lock, flying, most = threading.Lock(), 0, []
    proper = decoding.picture_of

    def slow(pixels, **options):
        nonlocal flying
        with lock:
            flying += pixels[:, :, 0].size
            most.append(flying)
        time.sleep(0.05)
        with lock:
            flying -= pixels[:, :, 0].size
        return proper(pixels, **options)

    monkeypatch.setattr(decoding, "picture_of", slow)
    monkeypatch.setattr(decoding, "MOST_PIXELS", 2_000)
    monkeypatch.setattr(decoding.os, "sched_getaffinity", lambda _process: range(4), raising=False)
    table, _ = read_pictures(tmp_path)
    assert table.frame.num_rows == len(most) == 4
    assert max(most) <= (1_800 if sides[0] == 30 else 8_100)
