"""What a Python program may hand in: paths, bytes, arrays and Pillow images, as the bytes of a file."""

from __future__ import annotations

import io
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from ocrsvc.errors import InvalidParameter

if TYPE_CHECKING:
    from PIL import Image

ColourOrder = Literal["BGR", "RGB"]
"""Order of the colours of an array; OpenCV has BGR, Pillow, imageio and matplotlib have RGB."""

Source: TypeAlias = "str | os.PathLike[str] | bytes | bytearray | memoryview | NDArray[Any] | Image.Image"
"""One input: the path of a file, the bytes of one, an array [H,W] or [H,W,3 or 4], or a Pillow image."""


@dataclass(frozen=True, slots=True)
class Input:
    """The bytes of a file, and its name if it has one."""

    data: bytes = field(repr=False)
    name: str | None = None


def load(source: Source, colours: ColourOrder = "BGR") -> Input:
    """Return the bytes of a source (blocking); pixels of arrays and images become a file without loss.

    ``colours`` is about arrays only. Raises OSError for a path that cannot be read, InvalidParameter for anything that
    is no source.
    """
    if isinstance(source, (str, os.PathLike)):
        path = Path(source)
        return Input(path.read_bytes(), str(path))
    if isinstance(source, (bytes, bytearray, memoryview)):
        return Input(bytes(source))
    if isinstance(source, np.ndarray):
        return Input(_of_array(source, colours))
    if callable(getattr(source, "getexif", None)) and hasattr(source, "mode"):
        return _of_image(source)
    raise InvalidParameter(
        f"A {type(source).__name__} cannot be read; use a path, bytes, a NumPy array or a Pillow image."
    )


def _of_array(array: NDArray[Any], colours: ColourOrder) -> bytes:
    if array.dtype == np.bool_:
        array = array.astype(np.uint8) * 255
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if array.dtype != np.uint8 or not (array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (3, 4))):
        raise InvalidParameter(
            f"An array of {array.dtype} {list(array.shape)} cannot be read; use uint8 [height, width] or "
            "[height, width, 3 or 4]."
        )
    if not array.size:
        raise InvalidParameter("The array has no pixels.")
    if array.ndim == 3 and colours == "RGB":
        array = array[:, :, [2, 1, 0, 3][: array.shape[2]]]
    # BMP is written and read at the speed of a copy; only PNG has an alpha channel that all decoders respect.
    suffix = ".png" if array.ndim == 3 and array.shape[2] == 4 else ".bmp"
    written, data = cv2.imencode(suffix, np.ascontiguousarray(array))
    if not written:
        raise InvalidParameter(f"OpenCV cannot write an array {list(array.shape)} as a picture.")
    return data.tobytes()


def _of_image(source: Any) -> Input:
    from PIL import Image, ImageOps

    if not isinstance(source, Image.Image):
        raise InvalidParameter(f"A {type(source).__name__} cannot be read; use a Pillow image.")
    image = ImageOps.exif_transpose(source)
    file = io.BytesIO()
    if image.mode in ("1", "L", "RGB"):
        image.save(file, "BMP")
    elif image.mode in ("LA", "PA", "RGBA") or "transparency" in image.info:
        image.convert("RGBA").save(file, "PNG", compress_level=1)
    else:
        image.convert("RGB").save(file, "BMP")
    name = getattr(source, "filename", "") or None
    return Input(file.getvalue(), name)
