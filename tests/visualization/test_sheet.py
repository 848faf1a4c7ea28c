"""Sheets of pictures as files."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from mmdgdm.visualization.sheet import write_sheet


def test_a_sheet_keeps_order_and_colours(tmp_path):
    blue = np.full((40, 40, 3), (255, 0, 0), np.uint8)
    red = np.full((40, 40, 3), (0, 0, 255), np.uint8)
    path = tmp_path / "new" / "sheet.jpg"
    write_sheet(path, [blue, red], columns=2)
    read = cv2.imread(str(path))
    height, width = read.shape[:2]
    for column, colour in ((width // 4, (255, 0, 0)), (width * 3 // 4, (0, 0, 255))):
        assert np.abs(read[height // 2, column].astype(int) - colour).max() < 20


def test_no_picture_and_no_place_are_errors(tmp_path):
    with pytest.raises(ValueError, match="at least one image"):
        write_sheet(tmp_path / "sheet.jpg", [])
    with pytest.raises(ValueError, match=r"end in \.jpg or \.png"):
        write_sheet(tmp_path / "sheet.tiff", [np.zeros((4, 4, 3), np.uint8)])
    (tmp_path / "file").write_text("")
    with pytest.raises(FileExistsError, match="file"):
        write_sheet(tmp_path / "file" / "sheet.jpg", [np.zeros((4, 4, 3), np.uint8)])
