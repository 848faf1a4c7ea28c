from __future__ import annotations

import re
from pathlib import Path

import cv2
import numpy as np
import pytest
from mmengine.registry import TRANSFORMS, DefaultScope
from PIL import Image

from mmdgdm.datasets import LoadWSOLImage, LoadWSOLMask, PackWSOLInputs
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

    @pytest.mark.parametrize("orientation", range(1, 9))
    @pytest.mark.parametrize("backend", ["cv2", "pillow"])
    def test_the_object_lies_in_its_box(self, tmp_path, orientation, backend):
        x0, y0, x1, y1 = 8, 2, 40, 17
        pixels = np.zeros((40, 60), np.uint8)
        pixels[y0 : y1 + 1, x0 : x1 + 1] = 255
        exif = Image.Exif()
        exif[0x0112] = orientation
        photo, mask = str(tmp_path / "photo.jpg"), str(tmp_path / "mask.png")
        Image.fromarray(pixels).convert("RGB").save(photo, exif=exif, quality=100)
        Image.fromarray(pixels).save(mask, exif=exif)
        results = {
            "img_path": photo,
            "ori_gt_mask_paths": [(mask, "")],
            "ori_gt_bboxes": np.array([[x0, y0, x1, y1]], np.float32),
        }
        found = {}
        for color_type in ("color", "grayscale"):
            load = LoadWSOLImage(color_type=color_type, imdecode_backend=backend)
            found[color_type] = load(dict(results))["img"].reshape(40, 60, -1)[..., 0]
        packed = PackWSOLInputs()(LoadWSOLMask()(load(results)))["data_samples"]
        found["mask"] = packed.gt_mask.numpy() * 255

        assert packed.gt_bboxes.tolist() == [[x0, y0, x1, y1]]
        for name, image in found.items():
            assert np.array_equal(image > 127, pixels > 0), name

    @pytest.mark.parametrize("color_type", ["color", "grayscale"])
    def test_mmcv_names_of_colors_mean_the_same(self, tmp_path, color_type):
        path = tmp_path / "photo.png"
        path.write_bytes(encode(PHOTO))
        images = [
            LoadWSOLImage(color_type=name)({"img_path": str(path)})["img"]
            for name in (color_type, f"{color_type}_ignore_orientation")
        ]

        assert np.array_equal(*images)
        assert images[0].ndim == (3 if color_type == "color" else 2)

    @pytest.mark.parametrize(
        ("argument", "value"),
        [
            ("imdecode_backend", "turbojpeg"),
            ("imdecode_backend", "tifffile"),
            ("imdecode_backend", None),
            ("color_type", "unchanged"),
        ],
    )
    def test_an_unknown_backend_is_refused_when_built(self, argument, value):
        with pytest.raises(ConfigError, match=rf"`{argument}` .* but got {value!r}\."):
            LoadWSOLImage(**{argument: value})

    def test_further_arguments_take_names(self):
        with pytest.raises(TypeError, match="positional"):
            LoadWSOLImage(False, "color", "pillow")

    def test_a_given_image_is_taken(self):
        results = LoadWSOLImage()({"img": PHOTO})
        assert np.array_equal(results["img"], PHOTO)
        assert results["img_shape"] == results["ori_shape"] == (40, 60)

        grey = LoadWSOLImage()({"img": PHOTO[..., 0]})["img"]
        assert np.array_equal(grey, np.dstack([PHOTO[..., 0]] * 3))

    @pytest.mark.parametrize(
        ("image", "message"),
        [
            (PHOTO / 255, "float64 of shape (40, 60, 3)"),
            (PHOTO[..., :2], "uint8 of shape (40, 60, 2)"),
            (PHOTO[:0], "uint8 of shape (0, 60, 3)"),
            ([[1, 2]], "list of shape (1, 2)"),
        ],
        ids=["float", "two-channels", "empty", "list"],
    )
    def test_a_given_image_of_another_form_is_refused(self, image, message):
        with pytest.raises(DataError, match=f"{re.escape(message)}\\.$"):
            LoadWSOLImage()({"img": image})

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
        with pytest.raises(
            ConfigError, match=r"hold 'img_path' or 'img' .*\['gt_label'\]"
        ):
            LoadWSOLImage()({"gt_label": 1})


class TestLoadWSOLMask:
    def test_union_of_masks_wins_over_ignored_regions(self, tmp_path):
        first = write_mask(tmp_path / "1.png", [[255, 0, 0, 0], [0, 0, 0, 0]])
        second = write_mask(tmp_path / "2.png", [[255, 255, 0, 0], [0, 0, 0, 0]])
        ignore = write_mask(tmp_path / "i.png", [[0, 255, 255, 0], [0, 0, 0, 255]])
        results = LoadWSOLMask()({"ori_gt_mask_paths": [(first, ignore), (second, "")]})

        assert results["ori_gt_mask"].dtype == np.uint8
        assert results["ori_gt_mask"].tolist() == [[1, 1, 255, 0], [0, 0, 0, 255]]

    def test_one_of_two_masks_of_16_bits(self, tmp_path):
        """The instance numbers 1 and 2 of 65535 are objects as good as white ones."""
        paths = [str(tmp_path / "1.png"), str(tmp_path / "2.png")]
        cv2.imwrite(paths[0], np.array([[1, 0, 0]], np.uint16))
        cv2.imwrite(paths[1], np.array([[0, 2, 0]], np.uint16))
        results = LoadWSOLMask()({"ori_gt_mask_paths": [(path, "") for path in paths]})

        assert results["ori_gt_mask"].tolist() == [[1, 1, 0]]

    def test_an_image_alone_has_no_masks(self):
        results = {"img": PHOTO, "img_shape": (40, 60)}
        assert LoadWSOLMask()(dict(results)).keys() == results.keys()

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

    @pytest.mark.parametrize("results", [{"image_id": 1}, {"ori_gt_mask_paths": []}])
    def test_results_without_masks(self, results):
        with pytest.raises(ConfigError, match=r"'ori_gt_mask_paths'.*with_boxes=True"):
            LoadWSOLMask()(results)
