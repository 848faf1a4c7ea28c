"""Write pictures side by side into one file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from mmdgdm.visualization.panel import contact_sheet

#: JPEG quality: enough to see, small enough to keep.
_QUALITY = 80


def write_sheet(path: Path, panels: Sequence[np.ndarray], columns: int = 2) -> None:
    """Write a grid of pictures.

    Args:
        path: The file, ``.jpg`` or ``.png``; its folder is made.
        panels: Pictures, each (H, W, 3) in OpenCV's BGR order.
        columns: Pictures in a row.

    Raises:
        ValueError: If there is no picture, or the file has another ending.
        OSError: If the file cannot be written.
    """
    if path.suffix not in (".jpg", ".png"):
        raise ValueError(f"Expected `path` to end in .jpg or .png, but got {path}.")
    sheet = contact_sheet(panels, columns=columns)
    done, data = cv2.imencode(path.suffix, sheet, (cv2.IMWRITE_JPEG_QUALITY, _QUALITY))
    if not done:
        raise OSError(f"Expected a picture for {path}, but encoding it failed.")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data.tobytes())
