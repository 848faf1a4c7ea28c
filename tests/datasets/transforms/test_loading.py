from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from mmengine.registry import TRANSFORMS, DefaultScope
from PIL import Image

from mmdgdm.datasets import LoadWSOLImage, LoadWSOLMask
from mmdgdm.errors import ConfigError, DataError


def encode(image: np.ndarray, ending: str = ".png") -> bytes:
    return cv2.imencode(ending, image)[1].tobytes()


PHOTO = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)


def write_mask(path: Path, rows: list[list[int]]) -> str:
    cv2.imwrite(str(path), np.array(rows, np.uint8))
    return str(path)


class TestLoadWSOLImage:
    @pytest.mark.parametrize("type_", ["LoadWSOLImage", "LoadWSOLMask"])
    def test_is_registered(self, type_):
        with DefaultScope.overwrite_default_scope("mmpretrain"):
            transform = TRANSFORMS.build({"type": f"mmdgdm.{type_}"})

        assert type(transform).__name__ == type_
        assert repr(transform).startswith(f"{type_}(")

    def test_loads_bgr_and_shapes(self, tmp_path):
        path = tmp_path / "photo.png"
        path.write_bytes(encode(PHOTO))
        results = LoadWSOLImage()({"img_path": str(path)})

        assert np.array_equal(results["img"], PHOTO)
        assert results["img_shape"] == results["ori_shape"] == (40, 60)

    def test_float_images(self, tmp_path):
        path = tmp_path / "photo.png"
        path.write_bytes(encode(PHOTO))
        results = LoadWSOLImage(to_float32=True)({"img_path": str(path)})

        assert results["img"].dtype == np.float32

    @pytest.mark.parametrize("orientation", [1, 3, 6, 8])
    @pytest.mark.parametrize("backend", ["cv2", "pillow"])
    def test_exif_orientation_is_ignored(self, tmp_path, orientation, backend):
        exif = Image.Exif()
        exif[0x0112] = orientation
        path = tmp_path / "photo.jpg"
        pixels = np.zeros((40, 60, 3), np.uint8)
        pixels[:20] = 255
        Image.fromarray(pixels).save(path, exif=exif)
        results = LoadWSOLImage(imdecode_backend=backend)({"img_path": str(path)})

        assert results["img"].shape == (40, 60, 3)
        assert results["img"][5, 5].min() > 200
        assert results["img"][35, 55].max() < 50

    @pytest.mark.parametrize("mode", ["L", "RGBA", "P", "CMYK"])
    def test_other_pixel_formats_become_three_channels(self, tmp_path, mode):
        path = tmp_path / ("photo.jpg" if mode == "CMYK" else "photo.png")
        Image.new(mode, (6, 4)).save(path)

        image = LoadWSOLImage()({"img_path": str(path)})["img"]
        assert (image.shape, image.dtype) == ((4, 6, 3), np.uint8)

    @pytest.mark.parametrize("backend", ["cv2", "pillow"])
    @pytest.mark.parametrize(
        ("content", "message"),
        [
            (b"", "empty file"),
            (b"this is a text", "cannot be decoded"),
            (encode(PHOTO)[:30], "cannot be decoded"),
            (encode(PHOTO, ".jpg")[:100], "cannot be decoded"),
        ],
        ids=["empty", "text", "header-only", "truncated"],
    )
    def test_undecodable_file_is_named(self, tmp_path, content, message, backend):
        path = tmp_path / "broken.jpg"
        path.write_bytes(content)

        with pytest.raises(DataError, match=rf"broken\.jpg to be an .*{message}"):
            LoadWSOLImage(imdecode_backend=backend)({"img_path": str(path)})

    def test_missing_file_is_named(self, tmp_path):
        with pytest.raises(DataError, match=r"gone\.jpg .*FileNotFoundError"):
            LoadWSOLImage()({"img_path": str(tmp_path / "gone.jpg")})

    def test_folder_in_place_of_a_file(self, tmp_path):
        with pytest.raises(DataError, match="IsADirectoryError"):
            LoadWSOLImage()({"img_path": str(tmp_path)})

    def test_results_without_a_path(self):
        with pytest.raises(ConfigError, match=r"hold 'img_path'.*\['gt_label'\]"):
            LoadWSOLImage()({"gt_label": 1})


class TestLoadWSOLMask:
    def test_union_of_masks_wins_over_ignored_regions(self, tmp_path):
        first = write_mask(tmp_path / "1.png", [[255, 0, 0, 0], [0, 0, 0, 0]])
        second = write_mask(tmp_path / "2.png", [[255, 255, 0, 0], [0, 0, 0, 0]])
        ignore = write_mask(tmp_path / "i.png", [[0, 255, 255, 0], [0, 0, 0, 255]])
        results = LoadWSOLMask()({"ori_gt_mask_paths": [(first, ignore), (second, "")]})

        assert results["ori_gt_mask"].dtype == np.uint8
        assert results["ori_gt_mask"].tolist() == [[1, 1, 255, 0], [0, 0, 0, 255]]

    def test_any_level_above_zero_is_set(self, tmp_path):
        path = write_mask(tmp_path / "1.png", [[0, 1, 127, 255]])
        results = LoadWSOLMask()({"ori_gt_mask_paths": [(path, "")]})

        assert results["ori_gt_mask"].tolist() == [[0, 1, 1, 1]]

    @pytest.mark.parametrize("broken", ["mask", "ignore"])
    def test_unreadable_mask_is_named(self, tmp_path, broken):
        good = write_mask(tmp_path / "good.png", [[255, 0]])
        bad = tmp_path / "bad.png"
        bad.write_bytes(b"no image")
        pair = (str(bad), good) if broken == "mask" else (good, str(bad))

        with pytest.raises(DataError, match=r"bad\.png .*cannot be decoded"):
            LoadWSOLMask()({"ori_gt_mask_paths": [pair]})

    def test_missing_mask_is_named(self, tmp_path):
        with pytest.raises(DataError, match=r"gone\.png"):
            LoadWSOLMask()({"ori_gt_mask_paths": [(str(tmp_path / "gone.png"), "")]})

    def test_masks_of_different_size(self, tmp_path):
        first = write_mask(tmp_path / "1.png", [[255, 0]])
        second = write_mask(tmp_path / "2.png", [[255, 0, 0]])

        with pytest.raises(DataError, match=r"2\.png .*\(1, 2\).* got \(1, 3\)"):
            LoadWSOLMask()({"ori_gt_mask_paths": [(first, ""), (second, "")]})

    @pytest.mark.parametrize("results", [{}, {"ori_gt_mask_paths": []}])
    def test_results_without_masks(self, results):
        with pytest.raises(ConfigError, match=r"'ori_gt_mask_paths'.*with_boxes=True"):
            LoadWSOLMask()(results)
