"""NIfTI-1 volumes from files that nobody vouches for: no more is unpacked than the header says, and not less."""

from __future__ import annotations

import io
import zlib
from pathlib import Path
from typing import Any

import numpy as np

Header = Any
"""A nibabel.Nifti1Header, whose methods have no types."""
HEADER = 348
DEEPEST = 1024
"""Slices and pixels on a side that a volume can have; a scanner gives a few hundred."""
FARTHEST = 2**20
"""Where the voxels may begin: extensions stand before them."""
MAGIC = b"\x1f\x8b"
"""How a member of a gzip file begins; there can be several."""


def header(path: Path) -> Header:
    """The header of a .nii or .nii.gz file, of which only the beginning is read. ValueError where it is none."""
    from nibabel.nifti1 import Nifti1Header
    from nibabel.spatialimages import HeaderDataError
    from nibabel.wrapstruct import WrapStructError

    with path.open("rb") as file:
        start = _inflated(file.read(2**16), HEADER, path) if _packed(path) else file.read(HEADER)
    try:
        found: Header = Nifti1Header.from_fileobj(io.BytesIO(start), check=False)  # type: ignore[no-untyped-call]
    except (HeaderDataError, WrapStructError) as error:
        raise ValueError(f"{path.name} is not a NIfTI file ({error})") from error
    if int(found["sizeof_hdr"]) != HEADER or found["magic"].item() != b"n+1":
        raise ValueError(f"{path.name} is not a NIfTI-1 file that holds its own voxels (.nii or .nii.gz)")
    if not found["pixdim"][0]:
        found["pixdim"][0] = 1  # the standard: 0 means 1
    return found


def size(found: Header, path: Path) -> tuple[int, int, int]:
    """(H, W, S). ValueError where the volume has not three axes of sensible length."""
    shape = tuple(int(length) for length in found.get_data_shape())
    shape = shape[:3] if len(shape) == 4 and shape[3] == 1 else shape
    if len(shape) != 3 or not all(0 < length <= DEEPEST for length in shape):
        raise ValueError(f"{path.name} has shape {list(shape)}, not three axes of 1 to {DEEPEST}")
    return shape


def affine(found: Header, path: Path) -> np.ndarray:
    """From voxels to millimetres, (4, 4). ValueError where it is not finite."""
    from nibabel.spatialimages import HeaderDataError

    try:
        matrix = np.asarray(found.get_best_affine(), np.float64)
    except (HeaderDataError, ValueError) as error:
        raise ValueError(f"{path.name} has no sound affine ({error})") from error
    if not np.isfinite(matrix).all():
        raise ValueError(f"{path.name} has an affine that is not finite")
    return matrix


def values(path: Path, expected: tuple[int, int, int]) -> np.ndarray:
    """The voxels (H, W, S) in the dtype of the file, or scaled where its header says so, then float32.

    The file is unpacked at once and without the interpreter's lock; nothing stays mapped. ValueError where the size is
    another one, where voxels are missing or left over, or where the checksum is wrong.
    """
    from nibabel.spatialimages import HeaderDataError

    found = header(path)
    if size(found, path) != expected:
        raise ValueError(f"{path.name} has shape {list(size(found, path))}, expected {list(expected)}")
    offset, dtype = _offset(found, path), _dtype(found, path)
    data = _whole(path, offset + int(np.prod(expected)) * dtype.itemsize)
    try:
        stored: np.ndarray = found.data_from_fileobj(io.BytesIO(data)).reshape(expected)
    except (HeaderDataError, ValueError) as error:
        raise ValueError(f"{path.name} cannot be read ({error})") from error
    return stored if stored.dtype.itemsize <= 4 else stored.astype(np.float32)


def _dtype(found: Header, path: Path) -> np.dtype:
    try:
        dtype: np.dtype = found.get_data_dtype()
    except KeyError as error:
        raise ValueError(f"{path.name} has an unknown type of voxels, code {error}") from error
    if dtype.kind not in "iuf" or dtype.itemsize > 8:
        raise ValueError(f"{path.name} has voxels of type {dtype}, not integers or real numbers")
    return dtype


def _offset(found: Header, path: Path) -> int:
    offset = float(found["vox_offset"])
    if not HEADER + 4 <= offset <= FARTHEST:
        raise ValueError(f"{path.name} says that its voxels begin at byte {offset:g}, which is not possible")
    return int(offset)


def _packed(path: Path) -> bool:
    return path.name.endswith(".gz")


def _whole(path: Path, length: int) -> bytes:
    """All `length` bytes of a file, unpacked."""
    on_disk = path.stat().st_size
    if on_disk > length + length // 100 + 2**16:
        raise ValueError(f"{path.name} has {on_disk:,} bytes, its header announces {length:,}")
    data = path.read_bytes()
    data = _inflated(data, length + 1, path, whole=True) if _packed(path) else data
    if len(data) != length:
        more = f"only {len(data):,}" if len(data) < length else "more"
        raise ValueError(f"{path.name} is damaged: its header announces {length:,} bytes, it holds {more}")
    return data


def _inflated(packed: bytes, most: int, path: Path, *, whole: bool = False) -> bytes:
    """At most `most` bytes of a gzip file; `whole`: it must end, and be sound, before there are that many."""
    pieces: list[bytes] = []
    while True:
        machine = zlib.decompressobj(wbits=31)
        try:
            pieces.append(machine.decompress(packed, most))
        except zlib.error as error:
            raise ValueError(f"{path.name} is not a sound gzip file ({error})") from error
        most -= len(pieces[-1])
        packed = machine.unused_data
        if not most or not packed.startswith(MAGIC):
            break
    if whole and most and not machine.eof:
        raise ValueError(f"{path.name} ends too early: it was cut off while it was copied")
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)
