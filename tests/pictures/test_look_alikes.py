from __future__ import annotations

import io

import numpy as np
import pyarrow.parquet as pq
from picture_cases import squares, write_folder
from PIL import Image
from scipy import ndimage

import wellfit as wf
from wellfit.data.hashing import row_hashes
from wellfit.data.pictures.decode import MOST_BITS, look_of, near_copies
from wellfit.data.schema import Schema


def scenes(count, *, seed=0, side=40):
    noise = np.random.default_rng(seed).normal(size=(count, side, side, 3))
    smooth = ndimage.gaussian_filter(noise, (0, 3, 3, 0))
    low, high = smooth.min(axis=(1, 2, 3), keepdims=True), smooth.max(axis=(1, 2, 3), keepdims=True)
    return (255 * (smooth - low) / (high - low)).astype(np.uint8)


def compressed(pixels, quality=40):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=quality)
    return np.asarray(Image.open(buffer))


def grey(pictures):
    return pictures.mean(axis=3).reshape(len(pictures), -1)


def bits(one, other):
    return (look_of(one) ^ look_of(other)).bit_count()


def test_a_copy_keeps_its_look_and_another_scene_has_its_own():
    first, second = scenes(2)
    assert bits(first, compressed(first)) <= MOST_BITS
    assert bits(first, np.asarray(Image.fromarray(first).resize((23, 23)))) <= MOST_BITS
    assert bits(first, (first * 0.8 + 30).astype(np.uint8)) <= MOST_BITS
    assert bits(first, second) > MOST_BITS


def test_near_copies_are_found_in_their_place_and_nowhere_else():
    train, fresh = scenes(300), scenes(40, seed=1)
    mine = np.concatenate([fresh, compressed(train[123], 80)[None], train[7][None]])
    looks = [np.array([look_of(each) for each in part], np.uint64) for part in (mine, train)]
    found = near_copies((looks[0], looks[1]), (grey(mine), grey(train)))
    assert found[:40].tolist() == [-1] * 40
    assert found[40:].tolist() == [123, 7]


def test_pictures_that_only_look_roughly_alike_are_no_copies():
    one = scenes(1)
    other = np.clip(one.astype(float) + np.random.default_rng(0).normal(scale=25, size=one.shape), 0, 255)
    assert bits(one[0], other[0].astype(np.uint8)) <= MOST_BITS
    looks = (np.array([look_of(one[0])], np.uint64), np.array([look_of(other[0].astype(np.uint8))], np.uint64))
    assert near_copies(looks, (grey(one), grey(other))).tolist() == [-1]


def split_of(root, **options):
    return wf.split(root, sizes="40/30/30", **options)


def test_the_split_counts_copies_and_near_copies_across_the_parts(tmp_path):
    pictures = [(("a", "b")[number % 2], each) for number, each in enumerate(scenes(100))]
    plain = split_of(write_folder(tmp_path / "plain", pictures))
    assert {count for part, count in plain.duplicates.items()} == {0}
    twice = [*pictures, *((name, compressed(each, 60)) for name, each in pictures)]
    found = split_of(write_folder(tmp_path / "twice", twice))
    assert found.duplicates["dev"] == 0
    # A picture of dev has its twin in train with chance .4.
    assert 10 <= found.duplicates["near_dev"] <= 40
    same = split_of(write_folder(tmp_path / "same", [*pictures, *pictures]))
    assert 10 <= same.duplicates["dev"] <= 40
    assert same.duplicates["near_dev"] == 0


def test_pixels_are_split_sealed_and_kept_in_the_folder(tmp_path):
    root = write_folder(tmp_path / "p", squares(80))
    split = split_of(root, out=tmp_path / "e.wellfit")
    assert split.rows == {"train": 32, "dev": 24, "test": 24}
    assert split.schema.picture == (12, 12, 3)
    assert split.schema.classes == ("dark", "light")
    assert "sharpness" in split.schema.feature_names
    assert "width" not in split.schema.feature_names
    prepared = split.prepared()
    assert prepared.train.numeric.shape == (32, 3 * 12 * 12)
    assert 0 <= prepared.train.numeric.min() < prepared.train.numeric.max() <= 1
    assert pq.read_table(tmp_path / "e.wellfit" / "test.sealed").num_rows == 24
    assert Schema.from_json(split.schema.to_json()) == split.schema


def test_channels_come_first_in_what_a_network_reads(tmp_path):
    root = write_folder(tmp_path / "p", squares(80))
    split = split_of(root)
    row = split.dev.column("picture")[0].as_py()
    expected = np.frombuffer(row, np.uint8).reshape(12, 12, 3).transpose(2, 0, 1) / np.float32(255)
    np.testing.assert_array_equal(split.prepared().dev.numeric[0].reshape(3, 12, 12), expected)


def test_a_single_pixel_changes_the_hash_of_a_row(tmp_path):
    split = split_of(write_folder(tmp_path / "p", squares(80)))
    hashes = row_hashes(split.train, columns=["picture"])
    assert len(np.unique(hashes[:, 0])) == 32


def test_deployment_pictures_are_brought_to_the_shape_of_train(tmp_path):
    root = write_folder(tmp_path / "p", squares(120))
    phone = write_folder(tmp_path / "phone", squares(80, side=30, seed=5))
    split = wf.split(root, deployment_data=phone)
    assert split.schema.dropped == tuple(one for one in split.schema.columns if one.name in ("file", "look"))
    assert split.prepared().dev.numeric.shape[1] == 3 * 12 * 12
    assert split.dev.column("width").unique().to_pylist() == [30]
