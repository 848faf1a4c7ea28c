"""Localize the frames of a video."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable, Union

import cv2
import numpy as np
from numpy.typing import NDArray

from mmdgdm.apis.inference.drawing import draw_result
from mmdgdm.apis.inference.localizer import Localizer
from mmdgdm.apis.inference.results import Localization
from mmdgdm.errors import DataError

_FOURCC = "mp4v"
#: Frames a second where a video does not say.
_RATE = 25.0


class VideoFrames:
    """The frames of a video, in order.

    Args:
        path: The file.

    Attributes:
        rate: Frames a second.
        count: Their number as the file says it; 0 if it does not.

    Raises:
        DataError: If the file is missing or holds no frame that can be read.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        capture = cv2.VideoCapture(path)
        is_read, _ = capture.read()
        self.rate = float(capture.get(cv2.CAP_PROP_FPS)) or _RATE
        self.count = max(0, int(capture.get(cv2.CAP_PROP_FRAME_COUNT)))
        capture.release()
        if not is_read:
            raise DataError(
                f"Expected {path} to be a video file, but none of its frames can be "
                "read."
            )

    def __iter__(self) -> Iterator[NDArray[np.uint8]]:
        capture = cv2.VideoCapture(self.path)
        try:
            is_read, frame = capture.read()
            while is_read:
                yield np.asarray(frame, dtype=np.uint8)
                is_read, frame = capture.read()
        finally:
            capture.release()


def localize_video(
    inferencer: Localizer,
    path: str,
    *,
    lines: Union[str, Path, None] = None,
    video: Union[str, Path, None] = None,
    batch_size: int = 1,
    advance: Callable[[], Any] = lambda: None,
    **kwargs: Any,
) -> int:
    """Localize each frame of a video.

    Args:
        inferencer: What localizes.
        path: The video.
        lines: A file for one line of JSON a frame: ``frame`` (from 0), ``time`` in
            seconds, and the entries of :meth:`Localization.to_dict`.
        video: A file ``.mp4`` for the frames with what was found drawn on them.
        batch_size: Frames in one pass.
        advance: Called after each frame.
        **kwargs: As for a call of the inferencer: ``topk``, ``classes``,
            ``all_contours``.

    Returns:
        The number of frames.

    Raises:
        DataError: If the video cannot be read or written.
    """
    frames = VideoFrames(path)
    for target in (lines, video):
        if target is not None:
            Path(target).parent.mkdir(parents=True, exist_ok=True)
    writer, number = None, 0
    with contextlib.ExitStack() as stack:
        text = None
        if lines is not None:
            text = stack.enter_context(open(lines, "w", encoding="utf-8"))
        for picture, found in inferencer.stream(iter(frames), batch_size, **kwargs):
            if text is not None:
                text.write(_line(found, number, time=number / frames.rate))
            if video is not None:
                drawn = _even(draw_result(picture.pixels, found))
                if writer is None:
                    writer = _open_writer(video, drawn, frames.rate)
                    stack.callback(writer.release)
                writer.write(drawn)
            number += 1
            advance()
    return number


def _line(found: Localization, number: int, *, time: float) -> str:
    entry = found.to_dict()
    entry.pop("image")
    return json.dumps({"frame": number, "time": round(time, 6), **entry}) + "\n"


def _even(frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Repeat the last row or column: the encoder takes even sizes only."""
    height, width = frame.shape[:2]
    odd = ((0, height % 2), (0, width % 2), (0, 0))
    return np.pad(frame, odd, mode="edge")


def _open_writer(path: Union[str, Path], frame: NDArray[np.uint8], rate: float) -> Any:
    fourcc = cv2.VideoWriter.fourcc(*_FOURCC)
    writer = cv2.VideoWriter(str(path), fourcc, rate, frame.shape[1::-1])
    if not writer.isOpened():
        raise DataError(f"OpenCV cannot write the video {path} (codec {_FOURCC}).")
    return writer
