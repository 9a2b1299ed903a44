"""Every operation against its definition: a known picture, a known transform, and Pillow or SciPy as the judge."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from PIL import Image, ImageEnhance
from scipy import ndimage

from oracle.augment import (
    Motion,
    blurred,
    boxes,
    brightened,
    compressed,
    contrasted,
    erased,
    flip_horizontal,
    flip_vertical,
    moved,
    noisy,
    saturated,
    shifted,
)
from wellfit.augment.apply import TRUNCATE
from wellfit.training.pictures import box_of, share_outside


def some(count=3, channels=3, height=12, width=17, *, seed=0):
    levels = np.random.default_rng(seed).integers(0, 256, (count, channels, height, width))
    smooth = ndimage.gaussian_filter(levels.astype(np.float32), (0, 0, 1, 1))
    return torch.from_numpy(np.round(smooth) / 255).float()


def image_of(picture):
    return Image.fromarray((picture.permute(1, 2, 0).numpy() * 255).round().astype(np.uint8))


def array_of(image):
    return np.asarray(image, dtype=np.float64).transpose(2, 0, 1) / 255


def test_flips_exchange_the_sides_of_the_marked_rows_alone():
    pictures = torch.arange(12.0).reshape(2, 1, 2, 3)
    marked = torch.tensor([True, False])
    assert flip_horizontal(pictures, marked)[0, 0].tolist() == [[2, 1, 0], [5, 4, 3]]
    assert flip_vertical(pictures, marked)[0, 0].tolist() == [[3, 4, 5], [0, 1, 2]]
    assert torch.equal(flip_horizontal(pictures, marked)[1], pictures[1])


@pytest.mark.parametrize("degrees", [90.0, 180.0, 270.0])
def test_a_quarter_turn_is_counterclockwise(degrees):
    pictures = some(1, height=9, width=9)
    motion = Motion.none(1, like=pictures)
    turned = moved(pictures, Motion(torch.tensor([degrees]), motion.factor, motion.down, motion.right))
    expected = torch.rot90(pictures, int(degrees // 90), (2, 3))
    torch.testing.assert_close(turned, expected, atol=2e-5, rtol=0)


def test_motion_is_the_affine_transform_of_scipy():
    pictures = some(2, 1, 15, 22)
    degrees, factor, down, right = 20.0, 1.3, 1.5, -2.25
    angle = np.deg2rad(degrees)
    # SciPy maps places (row, column) of the result to places of the picture.
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]]) / factor
    centre = (np.array([15, 22]) - 1) / 2
    offset = centre - turn @ (centre + np.array([down, right]))
    expected = ndimage.affine_transform(pictures[1, 0].numpy(), turn, offset, order=1, mode="nearest")
    motion = Motion(
        degrees=torch.tensor([0.0, degrees]),
        factor=torch.tensor([1.0, factor]),
        down=torch.tensor([0.0, down]),
        right=torch.tensor([0.0, right]),
    )
    found = moved(pictures, motion)
    np.testing.assert_allclose(found[1, 0].numpy(), expected, atol=2e-5)
    assert torch.equal(found[0], pictures[0])


def test_a_turn_goes_the_way_that_pillow_turns():
    pictures = some(1, 3, 21, 21)
    zero = torch.zeros(1)
    found = moved(pictures, Motion(torch.tensor([30.0]), torch.ones(1), zero, zero))[0].numpy()
    expected = array_of(image_of(pictures[0]).rotate(30, Image.Resampling.BILINEAR))
    np.testing.assert_allclose(found[:, 6:15, 6:15], expected[:, 6:15, 6:15], atol=2.5 / 255)


def test_a_crop_is_a_window_of_the_picture_padded_by_reflection():
    pictures = some(3)
    down, right = torch.tensor([2.0, -3.0, 0.0]), torch.tensor([-4.0, 1.0, 0.0])
    found = shifted(pictures, down=down, right=right)
    padded = np.pad(pictures.numpy(), ((0, 0), (0, 0), (4, 4), (4, 4)), mode="reflect")
    for row, (by_down, by_right) in enumerate([(2, -4), (-3, 1), (0, 0)]):
        window = padded[row, :, 4 - by_down : 16 - by_down, 4 - by_right : 21 - by_right]
        np.testing.assert_array_equal(found[row].numpy(), window)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [(brightened, ImageEnhance.Brightness), (contrasted, ImageEnhance.Contrast), (saturated, ImageEnhance.Color)],
)
@pytest.mark.parametrize("factor", [0.0, 0.6, 1.7])
def test_colours_change_as_pillow_changes_them(ours, theirs, factor):
    pictures = some(2)
    found = ours(pictures, torch.tensor([factor, 1.0]))
    expected = array_of(theirs(image_of(pictures[0])).enhance(factor))
    # Pillow rounds the grey values, their mean and the result to whole levels.
    np.testing.assert_allclose(found[0].numpy(), expected, atol=2.5 / 255)
    assert torch.equal(found[1], pictures[1])


@pytest.mark.parametrize("sigma", [0.4, 1.0, 3.1])
def test_a_blur_is_that_of_scipy_whatever_widths_its_neighbours_have(sigma):
    pictures = some(3)
    found = blurred(pictures, torch.tensor([sigma, 0.0, 5.0]))
    filtered = ndimage.gaussian_filter(
        pictures[0].double().numpy(), (0, sigma, sigma), mode="mirror", truncate=TRUNCATE
    )
    np.testing.assert_allclose(found[0].numpy(), filtered, atol=1e-5)
    assert torch.equal(found[1], pictures[1])
    assert torch.equal(found[0], blurred(pictures[:1], torch.tensor([sigma]))[0])


@pytest.mark.parametrize("quality", [5, 30, 50, 75, 95])
@pytest.mark.parametrize("channels", [1, 3])
def test_jpeg_leaves_what_the_library_leaves(quality, channels):
    picture = some(1, channels, 24, 21, seed=3)
    image = Image.fromarray((picture[0] * 255).round().byte().permute(1, 2, 0).numpy().squeeze())
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality, subsampling=0)
    expected = np.asarray(Image.open(buffer), dtype=np.float64).reshape(24, 21, channels).transpose(2, 0, 1)
    found = compressed(picture, torch.tensor([float(quality)]))[0].numpy() * 255
    lost = np.abs(picture[0].numpy() * 255 - expected).mean()
    # The library transforms in whole numbers: a coefficient in the middle between two steps may go the other way.
    apart = np.abs(found - expected)
    assert np.quantile(apart, 0.9) <= 2
    assert apart.mean() <= 0.05 * lost + 0.3


def test_jpeg_keeps_less_at_a_lower_quality():
    pictures = some(1, 3, 16, 16).repeat(3, 1, 1, 1)
    found = compressed(pictures, torch.tensor([95.0, 50.0, 10.0]))
    lost = (found - pictures).abs().mean(dim=(1, 2, 3)).tolist()
    assert lost == sorted(lost)
    assert lost[0] < lost[2] / 3


def test_erasing_blanks_a_box_with_the_mean_and_touches_nothing_else():
    pictures = some(2, 3, 10, 20)
    inside = boxes(
        rows=torch.tensor([0.5, 0.5]), columns=torch.tensor([0.25, 0.5]), share=torch.tensor([0.4, 0.0]), shape=(10, 20)
    )
    assert inside[0, 0].nonzero().amin(0).tolist() == [3, 1]
    assert inside[0, 0].nonzero().amax(0).tolist() == [6, 8]
    found = erased(pictures, inside)
    mean = pictures[0].mean(dim=(1, 2))
    torch.testing.assert_close(found[0, :, 3:7, 1:9], mean[:, None, None].expand(3, 4, 8))
    assert torch.equal(found[0][:, ~inside[0, 0]], pictures[0][:, ~inside[0, 0]])
    assert torch.equal(found[1], pictures[1])


def test_noise_is_added_and_kept_in_range():
    pictures, normal = some(2), torch.randn(2, 3, 12, 17, generator=torch.Generator().manual_seed(1))
    found = noisy(pictures, spread=torch.tensor([0.1, 0.0]), normal=normal)
    assert torch.equal(found[0], (pictures[0] + 0.1 * normal[0]).clamp(0, 1))
    assert torch.equal(found[1], pictures[1])


def test_a_cut_box_has_its_area_and_the_label_keeps_the_rest():
    box = box_of(area=0.25, down=0.5, right=0.5, shape=(16, 24))
    assert int(box.sum()) == 8 * 12
    assert share_outside(box) == pytest.approx(0.75)
    assert share_outside(box_of(area=0.25, down=0.0, right=0.5, shape=(16, 24))) == pytest.approx(1 - 4 * 12 / 384)
