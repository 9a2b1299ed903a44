"""Pictures per second of kornia's augmentation: `kornia_images.py SIDE CHANNELS BATCH SECONDS` prints one number.

The same changes as wellfit's `strong`: rotation, scale and translation in one resampling, brightness, contrast and
saturation, and (in colour) a horizontal flip.
"""

from __future__ import annotations

import sys
import time

import kornia.augmentation as ka
import torch


def main() -> None:
    side, channels, batch = (int(each) for each in sys.argv[1:4])
    torch.set_num_threads(1)
    steps = [
        ka.RandomAffine(degrees=15, translate=(0.1, 0.1), scale=(1 / 1.15, 1.15), p=1.0, padding_mode="border"),
        *([ka.RandomHorizontalFlip(p=0.5), ka.RandomSaturation((0.8, 1.2), p=1.0)] if channels == 3 else []),
        ka.RandomBrightness((0.8, 1.2), p=1.0),
        ka.RandomContrast((0.8, 1.2), p=1.0),
    ]
    change = torch.nn.Sequential(*steps)
    pictures = torch.rand(batch, channels, side, side)
    change(pictures)
    batches, began = 0, time.process_time()
    while time.process_time() - began < float(sys.argv[4]):
        change(pictures)
        batches += 1
    print(batches * batch / (time.process_time() - began))


if __name__ == "__main__":
    main()
