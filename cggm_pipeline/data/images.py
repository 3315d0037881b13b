"""Image files to arrays."""

from __future__ import annotations

import io
import math

import numpy as np

MODES = {1: "L", 3: "RGB", 4: "RGBA"}
PLAIN = {"1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr"}


class Picture(bytes):
    """The bytes of an image file that `decode` has read before, so that nobody needs to decode it to check it.

    `part`: what its pixels add to the statistics of its modality (`statistics.Part`), where that was asked for.
    """

    part: tuple[int, np.ndarray, np.ndarray] | None = None

    @classmethod
    def of(cls, data: bytes, part: tuple[int, np.ndarray, np.ndarray] | None) -> Picture:
        """These bytes, with their part."""
        picture = cls(data)
        picture.part = part
        return picture


def decode(data: bytes, channels: int) -> np.ndarray:
    """The pixels of an image file, upright, as (channels, H, W) uint8; channels are 1 (grey), 3 (RGB) or 4 (RGBA).

    ValueError where the bytes are no image that Pillow reads, are of more than 8 bits a channel, or are a
    decompression bomb.
    """
    from PIL import Image, ImageOps

    if channels not in MODES:
        raise ValueError(f"an image cannot have {channels} channels (allowed: 1 grey, 3 RGB, 4 RGBA)")
    try:
        with Image.open(io.BytesIO(data)) as image:
            if image.width * image.height > (Image.MAX_IMAGE_PIXELS or math.inf):  # up to twice that Pillow warns
                raise ValueError(f"it is not a readable image ({image.width} x {image.height} pixels are too many)")
            if image.mode not in PLAIN:
                raise ValueError(f"its pixels are {image.mode}, not 8 bits a channel; store it as .npy instead")
            pixels = np.asarray(ImageOps.exif_transpose(image).convert(MODES[channels]))
    except (OSError, SyntaxError, Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ValueError(f"it is not a readable image ({error})") from error
    return np.array(pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1), order="C")
