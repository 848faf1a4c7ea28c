"""The images that a user names: paths, folders, patterns, addresses, arrays."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, Optional, Union

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mmdgdm.errors import ConfigError, DataError
from mmdgdm.utils.image_files import convert_pillow, count_frames, read_image
from mmdgdm.utils.notes import tell

#: A path or an address, an array or an image of Pillow.
Source = Union[str, NDArray[Any], Image.Image]
#: How the channels of arrays may be ordered.
CHANNEL_ORDERS = ("bgr", "rgb")
#: Endings of files that are read frame by frame.
VIDEO_ENDINGS = frozenset(
    [".avi", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".webm", ".wmv"]
)


class Picture(NamedTuple):
    """An image as a person sees it.

    Attributes:
        pixels: (H, W, 3) uint8, BGR, upright.
        source: Path or address; ``None`` for an image from memory.
        num_frames: Images in the file, of which this is the first.
    """

    pixels: NDArray[np.uint8]
    source: Optional[str] = None
    num_frames: int = 1


def list_sources(inputs: Any) -> list[Source]:
    """List the images that a user names.

    Args:
        inputs: A path, a folder (all images in it and in its folders, sorted), a
            pattern such as ``"photos/*.jpg"`` (``**`` for any depth), an address
            (``https://...``), an array, an image of Pillow, or a list of these.

    Returns:
        The images, none of them read.

    Raises:
        ConfigError: If a folder or pattern holds none, or something else is given.
    """
    if isinstance(inputs, (list, tuple)):
        return [source for item in inputs for source in list_sources(item)]
    if isinstance(inputs, (np.ndarray, Image.Image)):
        return [inputs]
    if not isinstance(inputs, (str, os.PathLike)):
        raise ConfigError(
            "Expected images as paths, folders, patterns, addresses, numpy arrays or "
            f"PIL images, but got {type(inputs).__name__}."
        )
    text = os.fspath(inputs)
    if "://" in text:
        return [text]
    path = Path(text).expanduser()
    if path.is_dir():
        return _images_of(path)
    if glob.has_magic(text) and not path.exists():
        found = sorted(glob.glob(str(path), recursive=True))
        files = [name for name in found if Path(name).is_file()]
        if not files:
            raise ConfigError(f"Expected the pattern {text} to match files, but none.")
        return list(files)
    return [str(path)]


def _images_of(folder: Path) -> list[Source]:
    Image.init()
    endings = Image.registered_extensions().keys() | VIDEO_ENDINGS
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    visible = [
        path
        for path in found
        if not any(part.startswith(".") for part in path.relative_to(folder).parts)
    ]
    images = [str(path) for path in visible if path.suffix.lower() in endings]
    if not images:
        raise ConfigError(f"Expected the folder {folder} to hold images, but none.")
    if len(images) < len(visible):
        left_out = len(visible) - len(images)
        tell(f"{folder}: {left_out} files are no images by their names.")
    return list(images)


def is_video(source: Source) -> bool:
    """Whether a source is a video, by the ending of its name."""
    return isinstance(source, str) and Path(source).suffix.lower() in VIDEO_ENDINGS


def read_source(source: Source, channel_order: str = "bgr") -> Picture:
    """Read an image as a person sees it.

    Args:
        source: One of :func:`list_sources`.
        channel_order: Of arrays (H, W, 3), ``"bgr"`` as OpenCV and mmcv read them, or
            ``"rgb"``.

    Returns:
        The image, upright.

    Raises:
        DataError: If it cannot be read, or is no image.
    """
    if isinstance(source, Image.Image):
        return Picture(convert_pillow(source))
    if isinstance(source, np.ndarray):
        return Picture(_check_array(source, channel_order))
    if is_video(source):
        raise DataError(
            f"Expected an image, but {source} is a video: localize its frames with "
            "`localize_video`."
        )
    content = fileio_get(source)

    def read(_: Any) -> bytes:
        return content

    pixels = read_image(source, read=read, upright=True)
    num_frames = count_frames(source, read=read)
    if num_frames > 1:
        tell(f"{source} holds {num_frames} images: the first one is taken.")
    return Picture(pixels, source, num_frames)


def fileio_get(source: str) -> bytes:
    """Read the bytes of a path or an address.

    Raises:
        DataError: If they cannot be read.
    """
    try:
        return _content(source)
    except (OSError, ValueError) as error:  # the latter for a malformed address
        reason = f"{type(error).__name__}: {error}"
        raise DataError(
            f"Expected {source} to be an image file, but got {reason}."
        ) from error


def _content(source: str) -> bytes:
    if "://" not in source:
        return Path(source).read_bytes()
    # Here, since files on disk are read without mmengine too.
    try:
        from mmengine import fileio
    except ImportError as error:
        raise DataError(
            f"Expected files on disk, but {source} is an address, which mmengine reads "
            f"({error})."
        ) from error
    return bytes(fileio.get(source))


def _check_array(array: NDArray[Any], channel_order: str) -> NDArray[np.uint8]:
    is_image = array.dtype == np.uint8 and array.size > 0
    if is_image and array.ndim == 2:
        return np.repeat(array[..., None], 3, axis=2)
    if is_image and array.ndim == 3 and array.shape[2] == 3:
        ordered = array if channel_order == "bgr" else array[..., ::-1]
        return np.ascontiguousarray(ordered)
    raise DataError(
        "Expected an array to be an image, uint8 (H, W, 3) or grey (H, W), but got "
        f"{array.dtype} of shape {array.shape}."
    )


def read_sources(
    sources: Iterable[Source], channel_order: str, *, unreadable: Any = None
) -> Iterator[Picture]:
    """Read images one by one.

    Args:
        sources: The images.
        channel_order: As for :func:`read_source`.
        unreadable: Called with source and error of an image that cannot be read,
            which is left out then; ``None`` raises the error.

    Yields:
        The images that can be read.

    Raises:
        DataError: If one cannot be read and ``unreadable`` is ``None``.
    """
    for source in sources:
        try:
            picture = read_source(source, channel_order)
        except DataError as error:
            if unreadable is None:
                raise
            unreadable(source, error)
        else:
            yield picture
