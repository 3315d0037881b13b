"""Image files of strangers: what is turned, what is refused; no other program and no other error comes of it."""

from __future__ import annotations

import io
import random
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageOps

from cggm_pipeline.data import images
from cggm_pipeline.data.images import decode

PIXELS = np.random.default_rng(0).integers(0, 255, (12, 17, 3), np.uint8)


def saved(form: str, mode: str = "RGB", **options: Any) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(PIXELS).convert(mode).save(stream, form, **options)
    return stream.getvalue()


def turned(orientation: int) -> bytes:
    exif = Image.Exif()
    exif[images.ORIENTATION] = orientation
    return saved("PNG", exif=exif)


@pytest.mark.parametrize("orientation", [*range(10), 2**16 - 1])
def test_an_image_is_turned_as_pillow_turns_it(orientation: int) -> None:
    data = turned(orientation)
    expected = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))))
    assert np.array_equal(decode(data, 3), expected.transpose(2, 0, 1))


@pytest.mark.parametrize("form", ["EPS", "PDF", "ICNS", "TGA", "ICO"])
def test_only_listed_formats_are_read(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """EPS would start Ghostscript on the bytes of a stranger."""
    monkeypatch.setattr("subprocess.check_call", lambda *_, **__: pytest.fail("another program was started"))
    with pytest.raises(ValueError, match="not a readable image"):
        decode(saved(form), 3)


def test_cmyk_palettes_and_moving_images_are_read() -> None:
    plain = decode(saved("PNG"), 3)
    assert decode(saved("JPEG", "CMYK"), 3).shape == plain.shape
    first, second = Image.new("RGB", (5, 4), (255, 0, 0)), Image.new("RGB", (5, 4), (0, 0, 255))
    stream = io.BytesIO()
    first.save(stream, "GIF", save_all=True, append_images=[second])
    assert decode(stream.getvalue(), 3)[:, 0, 0].tolist() == [255, 0, 0]
    palette = Image.fromarray(PIXELS).convert("P")
    stream = io.BytesIO()
    palette.save(stream, "PNG", transparency=bytes(range(256)))
    expected = np.asarray(palette.convert("RGB")).transpose(2, 0, 1)
    assert np.array_equal(decode(stream.getvalue(), 3), expected)  # and no warning, which would be an error here
    assert decode(stream.getvalue(), 4).shape == (4, 12, 17)


def test_spoilt_images_are_values_or_value_errors() -> None:
    exif = Image.Exif()
    exif[images.ORIENTATION], exif[0x010E] = 6, "x"
    originals = [saved("JPEG", exif=exif), saved("PNG", exif=exif), saved("GIF", "P"), saved("WEBP"), saved("BMP")]
    chance, refused = random.Random(0), 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's, of broken EXIF
        for turn in range(600):
            data = bytearray(originals[turn % len(originals)])
            for _ in range(chance.choice((1, 2, 8))):
                data[chance.randrange(chance.choice((60, len(data))))] = chance.choice((0, 255, chance.randrange(256)))
            try:
                decode(bytes(data), 3)
            except ValueError:
                refused += 1
    assert 50 < refused < 550


def test_large_images_are_decoded_one_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "LARGE", 100)
    busy, most, gate = 0, 0, threading.Lock()
    upright = images._upright

    def counted(image: Image.Image) -> Image.Image:
        nonlocal busy, most
        with gate:
            busy, most = busy + 1, max(most, busy + 1)
        found = upright(image)
        threading.Event().wait(0.005)
        with gate:
            busy -= 1
        return found

    monkeypatch.setattr(images, "_upright", counted)
    data = saved("PNG")
    with ThreadPoolExecutor(4) as pool:
        assert len({pixels.tobytes() for pixels in pool.map(lambda _: decode(data, 3), range(12))}) == 1
        assert most == 1
        monkeypatch.setattr(images, "LARGE", 10**6)
        list(pool.map(lambda _: decode(data, 3), range(12)))
        assert most > 1
