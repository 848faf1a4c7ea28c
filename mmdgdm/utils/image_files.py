"""Read image and mask files: each loads whole and as it is stored, or is refused.

Pixels stay where the file has them, whatever its EXIF orientation says, since boxes
and masks are given for the stored pixels. An image for a person to look at is turned
upright on request.
"""

from __future__ import annotations

import os
import struct
from io import BytesIO
from pathlib import Path
from typing import Any, Callable, NamedTuple, Union

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from mmdgdm.errors import DataError
from mmdgdm.utils.resources import LACKS, explain_lack

PathLike = Union[str, os.PathLike[str]]
#: Takes a path and returns the file's bytes; raises ``OSError`` if it cannot.
ReadBytes = Callable[[PathLike], bytes]

#: Decoders of JPEG files; other formats are read by Pillow alone.
DECODERS = ("cv2", "pillow")
_JPEG = b"\xff\xd8"
_JPEG_END = b"\xff\xd9"
_PNG = b"\x89PNG\r\n\x1a\n"
_PNG_END = b"IEND\xaeB`\x82"
#: Markers that start the coded pixels, and those that tell the number of channels.
_SCAN = 0xDA
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
#: Tag of EXIF and TIFF.
_ORIENTATION = 0x0112
#: How to turn an image upright, by its orientation; 1 is upright.
_UPRIGHT: dict[int, Callable[[NDArray[Any]], NDArray[Any]]] = {
    2: lambda image: image[:, ::-1],
    3: lambda image: image[::-1, ::-1],
    4: lambda image: image[::-1],
    5: lambda image: image.swapaxes(0, 1),
    6: lambda image: image.swapaxes(0, 1)[:, ::-1],
    7: lambda image: image.swapaxes(0, 1)[::-1, ::-1],
    8: lambda image: image.swapaxes(0, 1)[::-1],
}
#: What the decoders raise for files that are damaged or of no known format.
_BROKEN = (
    cv2.error,
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    struct.error,
    Image.DecompressionBombError,
)
#: Pillow's names of pixels that become 8-bit colours without a loss of range.
_IMAGE_MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr")
_MASK_MODES = ("1", "L", "LA", "P", "RGB", "RGBA")
_REMEDY = "save the mask as grey levels, 0 where nothing is"


def _read_local(path: PathLike) -> bytes:
    return Path(path).read_bytes()


def read_image(
    path: PathLike,
    *,
    decoder: str = "cv2",
    read: ReadBytes = _read_local,
    upright: bool = False,
) -> NDArray[np.uint8]:
    """Read an image.

    Grey images get three equal channels, 16-bit levels keep their upper 8 bits (65535
    becomes 255), palettes and CMYK become colours, and transparency is left out, all
    of them alike under both decoders. A file of several images gives the first.

    Args:
        path: The file.
        decoder: What decodes JPEG, ``'cv2'`` or ``'pillow'``.
        read: Gets the bytes of ``path``.
        upright: Whether to turn the image as its orientation tag says, so that it
            lies as a person sees it.

    Returns:
        (H, W, 3) uint8, BGR, in the rows and columns of the file, unless ``upright``.

    Raises:
        DataError: If the file is missing, empty, truncated, damaged or of no known
            format, holds other numbers than levels of up to 16 bits, or is a TIFF
            that is to be turned and ``upright`` is not set.
    """
    content = _read_whole(path, read)
    try:
        header = _jpeg_header(content)
        if decoder == "cv2" and header.channels in (1, 3):
            _check_size(header)
            pixels = _decode_by_opencv(content)
        else:
            with _open(BytesIO(content), turned=upright) as image:
                pixels = _to_bgr(image)
        return _turn_upright(pixels, content) if upright else pixels
    except _BROKEN as error:
        raise _unusable(path, error) from error


def count_frames(path: PathLike, *, read: ReadBytes = _read_local) -> int:
    """Count the images that a file holds: those of an animation, else 1.

    The previews that cameras put into a JPEG are no images of their own.

    Args:
        path: The file.
        read: Gets the bytes of ``path``.

    Returns:
        The number.

    Raises:
        DataError: If the file is missing or of no known format.
    """
    try:
        with Image.open(BytesIO(read(path))) as image:
            is_photo = image.format in ("JPEG", "MPO")
            return 1 if is_photo else int(getattr(image, "n_frames", 1))
    except _BROKEN as error:
        raise _unusable(path, error) from error


def convert_pillow(image: Image.Image) -> NDArray[np.uint8]:
    """Turn an image of Pillow into an array, as :func:`read_image` does with a file.

    Args:
        image: The image; its first frame is taken, and its orientation tag applied.

    Returns:
        (H, W, 3) uint8, BGR, upright.

    Raises:
        DataError: If its pixels are no levels of up to 16 bits.
    """
    try:
        return _to_bgr(ImageOps.exif_transpose(image))
    except _BROKEN as error:
        raise DataError(
            f"Expected an image with levels of up to 16 bits, but {error}."
        ) from error


def read_mask(path: PathLike, *, read: ReadBytes = _read_local) -> NDArray[np.bool_]:
    """Read a mask: a pixel is set unless it is black.

    Levels are read at their full depth of 1, 8 or 16 bits. For 8 bits that is what
    the WSOL benchmark reads, which sets a pixel if its 8-bit grey level is above 0. A
    file that another rule reads otherwise is refused: the numbers of a palette's
    colours (unless all are grey), the transparency, the grey level of a colour that is
    almost black, and, for JPEG, which blurs edges, a grey level above 127.

    Args:
        path: The file.
        read: Gets the bytes of ``path``.

    Returns:
        (H, W) bool, in the rows and columns of the file.

    Raises:
        DataError: If the file is missing, empty, truncated, damaged, of no known
            format, or can be read in two ways.
    """
    content = _read_whole(path, read)
    try:
        with _open(BytesIO(content)) as image:
            if _is_deep_grey(image):
                return np.asarray(image) > 0
            _check_mask_mode(image, content)
            is_set, others = _read_levels(image)
    except _BROKEN as error:
        raise _unusable(path, error) from error
    for how, other in others.items():
        num_wrong = int((other != is_set).sum())
        if num_wrong:
            raise DataError(
                f"Expected {path} to be a mask that can be read in one way, but "
                f"{num_wrong} of its pixels differ when read by {how}: {_REMEDY}."
            )
    return is_set


def read_image_size(path: PathLike) -> tuple[int, int]:
    """Read the size of an image from the file's header.

    Args:
        path: The file.

    Returns:
        (width, height) of the stored pixels.

    Raises:
        DataError: If the file is missing, of no known format, or a TIFF that is to be
            turned.
    """
    try:
        with _open(path) as image:
            return image.size
    except _BROKEN as error:
        raise _unusable(path, error) from error


def _check_mask_mode(image: Image.Image, content: bytes) -> None:
    mode = image.mode
    if mode in ("LA", "RGB", "RGBA"):
        # Pillow cuts colours of 16 bits to 8, so that small numbers would be lost.
        stored = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
        if stored is not None and stored.dtype != np.uint8:
            mode = f"{mode}, {stored.dtype}"
    if mode not in _MASK_MODES:
        raise ValueError(f"its pixels are of Pillow's mode {mode!r}; {_REMEDY}")


def _read_levels(
    image: Image.Image,
) -> tuple[NDArray[np.bool_], dict[str, NDArray[np.bool_]]]:
    """Whether each pixel is set, and what other rules would say, by their names."""
    others = {}
    if image.mode in ("LA", "RGBA") or "transparency" in image.info:
        alpha = np.asarray(image.convert("RGBA").getchannel("A"))
        if alpha.min() < 255:
            others["transparency"] = alpha > 0
    if image.mode in ("1", "L"):
        grey: NDArray[Any] = np.asarray(image)
        is_set: NDArray[np.bool_] = grey > 0
    else:
        colors = _to_rgb(image)
        is_set, grey = colors.max(axis=2) > 0, colors @ (0.299, 0.587, 0.114)
        others["the grey level"] = grey > 0.999
        if image.mode == "P" and (colors != colors[..., :1]).any():
            others["the numbers of the palette"] = np.asarray(image) > 0
    if image.format in ("JPEG", "MPO"):
        others["the grey level above 127"] = grey > 127
    return is_set, others


def _to_bgr(image: Image.Image) -> NDArray[np.uint8]:
    if _is_deep_grey(image):
        grey = (np.asarray(image) >> 8).astype(np.uint8)
        return np.asarray(cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR), dtype=np.uint8)
    if image.mode not in _IMAGE_MODES:
        raise ValueError(f"its pixels are of Pillow's mode {image.mode!r}")
    return np.asarray(cv2.cvtColor(_to_rgb(image), cv2.COLOR_RGB2BGR), dtype=np.uint8)


def _turn_upright(pixels: NDArray[np.uint8], content: bytes) -> NDArray[np.uint8]:
    with Image.open(BytesIO(content)) as image:
        # Pillow has turned TIFF already.
        tag = 1 if image.format == "TIFF" else image.getexif().get(_ORIENTATION, 1)
    turn = _UPRIGHT.get(tag)
    return pixels if turn is None else np.ascontiguousarray(turn(pixels))


def _open(source: Union[PathLike, BytesIO], *, turned: bool = False) -> Image.Image:
    image = Image.open(source)
    is_tiff = image.format == "TIFF" and not turned
    if is_tiff and image.getexif().get(_ORIENTATION, 1) != 1:
        raise ValueError(
            "Pillow turns TIFF by its orientation tag; save it without one"
        )
    return image


def _is_deep_grey(image: Image.Image) -> bool:
    """Whether the pixels are grey levels of 16 bits."""
    # Older releases of Pillow call those of PNG `I`.
    is_wide = image.mode == "I" and image.format in ("PNG", "PPM")
    return is_wide or image.mode.startswith("I;16")


def _to_rgb(image: Image.Image) -> NDArray[np.uint8]:
    image.load()
    image.info.pop("transparency", None)  # the conversion would warn of it
    return np.asarray(image.convert("RGB"))


def _decode_by_opencv(content: bytes) -> NDArray[np.uint8]:
    flags = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
    image = cv2.imdecode(np.frombuffer(content, np.uint8), flags)
    if image is None:
        raise ValueError("it is damaged")
    return np.asarray(image, dtype=np.uint8)


def _read_whole(path: PathLike, read: ReadBytes) -> bytes:
    """Read the bytes of a file, unless its end shows that it is truncated.

    Decoders cannot be relied on for that: OpenCV up to 4.10 fills what a JPEG lacks
    with what it decoded before.
    """
    try:
        content = read(path)
    except (OSError, ValueError) as error:  # the latter for names that no file has
        if isinstance(error, OSError) and error.errno in LACKS:
            raise explain_lack(error, path) from error
        raise _unusable(path, error) from error
    if not content:
        raise _unusable(path, "got an empty file")
    is_whole = True
    if content.startswith(_JPEG):
        # A thumbnail in the header has an end of its own.
        is_whole = content.rfind(_JPEG_END, _jpeg_header(content).length) >= 0
    elif content.startswith(_PNG):
        is_whole = content.rfind(_PNG_END) >= 0
    if not is_whole:
        raise _unusable(path, "it cannot be decoded: it is truncated")
    return content


class _JpegHeader(NamedTuple):
    """What a JPEG says ahead of its pixels; all 0 if it is none."""

    length: int = 0
    channels: int = 0
    width: int = 0
    height: int = 0


def _check_size(header: _JpegHeader) -> None:
    """Refuse what Pillow does in other formats: a few bytes would fill the memory."""
    limit = Image.MAX_IMAGE_PIXELS
    if limit is not None and header.width * header.height > 2 * limit:
        raise ValueError(
            f"{header.width} x {header.height} pixels are more than {2 * limit:,}"
        )


def _jpeg_header(content: bytes) -> _JpegHeader:
    if not content.startswith(_JPEG):
        return _JpegHeader()
    place, channels, width, height = 2, 0, 0, 0
    while True:
        place = content.find(b"\xff", place)
        if not 0 <= place < len(content) - 9:
            return _JpegHeader(len(content), channels, width, height)
        kind = content[place + 1]
        if kind == _SCAN:
            return _JpegHeader(place, channels, width, height)
        if kind in _FRAMES:
            channels = content[place + 9]
            height, width = struct.unpack_from(">HH", content, place + 5)
        # Fill bytes and markers without a body are passed byte by byte.
        is_segment = 0xC0 <= kind < 0xFF and not 0xD0 <= kind <= 0xD9
        length = int.from_bytes(content[place + 2 : place + 4], "big")
        place += 2 + length if is_segment else 1


def _unusable(path: PathLike, reason: Union[str, BaseException]) -> DataError:
    if isinstance(reason, UnidentifiedImageError):  # it would show an object of Python
        reason = "it cannot be decoded: it is damaged or of no known format"
    elif isinstance(reason, OSError) and reason.errno is not None:
        reason = f"got {type(reason).__name__}: {reason}"
    elif not isinstance(reason, str):
        reason = f"it cannot be decoded: {reason}"
    return DataError(f"Expected {path} to be an image file, but {reason}.")
