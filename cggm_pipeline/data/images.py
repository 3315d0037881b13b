"""Image files to arrays."""

from __future__ import annotations

import io
import math
import struct
import threading
from contextlib import nullcontext
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from PIL import Image

MODES = {1: "L", 3: "RGB", 4: "RGBA"}
PLAIN = {"1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr"}
FORMATS = ("JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF", "PPM")
"""What is read. Pillow knows others too, and starts another program (Ghostscript) for some of them."""
ORIENTATION = 0x0112
LARGE = 2**24
"""Images of more pixels than this are decoded one at a time, however many threads read: each may take a gigabyte."""
_one_large = threading.Lock()


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

    Of several images in a file (GIF, TIFF) the first. What is transparent keeps the colour that it has below.
    ValueError where the bytes are no image of `FORMATS`, are of more than 8 bits a channel, or are a decompression bomb
    (more than `PIL.Image.MAX_IMAGE_PIXELS`).
    """
    from PIL import Image, UnidentifiedImageError

    if channels not in MODES:
        raise ValueError(f"an image cannot have {channels} channels (allowed: 1 grey, 3 RGB, 4 RGBA)")
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            number = image.width * image.height
            if number > (Image.MAX_IMAGE_PIXELS or math.inf):  # up to twice that Pillow warns
                raise ValueError(f"it is not a readable image ({image.width} x {image.height} pixels are too many)")
            if image.mode not in PLAIN:
                raise ValueError(f"its pixels are {image.mode}, not 8 bits a channel; store it as .npy instead")
            with _one_large if number > LARGE else nullcontext():
                pixels = np.asarray(_upright(_plain(image)).convert(MODES[channels]))
                return np.array(pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1), order="C")
    except UnidentifiedImageError as error:
        raise ValueError("it is not a readable image (no format that is known)") from error
    except (OSError, SyntaxError, struct.error, Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ValueError(f"it is not a readable image ({error})") from error


def encode(pixels: np.ndarray) -> bytes:
    """A PNG file of pixels (channels, H, W) uint8, which `decode` gives back as they are."""
    from PIL import Image

    image = Image.fromarray(pixels[0] if len(pixels) == 1 else np.ascontiguousarray(pixels.transpose(1, 2, 0)))
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def _plain(image: Image.Image) -> Image.Image:
    """Without a palette whose colours are transparent, of which Pillow would warn."""
    return image.convert("RGBA") if image.mode == "P" and "transparency" in image.info else image


def _upright(image: Image.Image) -> Image.Image:
    """Turned as its EXIF says: by its orientation alone, nothing else there is looked at."""
    from PIL.Image import Transpose

    ways = {
        2: Transpose.FLIP_LEFT_RIGHT,
        3: Transpose.ROTATE_180,
        4: Transpose.FLIP_TOP_BOTTOM,
        5: Transpose.TRANSPOSE,
        6: Transpose.ROTATE_270,
        7: Transpose.TRANSVERSE,
        8: Transpose.ROTATE_90,
    }
    image.load()  # some formats know their EXIF only then
    found = image.getexif().get(ORIENTATION)
    return image.transpose(ways[found]) if isinstance(found, int) and found in ways else image
