"""What a user may name as an image, and that it comes as a person sees it."""

from __future__ import annotations

import io
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import cv2
import numpy as np
import pytest
from PIL import Image

from mmdgdm.apis.inference.sources import list_sources, read_source, read_sources
from mmdgdm.errors import ConfigError, DataError

#: Red at the top left, blue below, green at the right; no symmetry.
SCENE = np.zeros((20, 30, 3), np.uint8)
SCENE[:, 15:] = (0, 255, 0)
SCENE[:10, :15] = (255, 0, 0)
SCENE[10:, :15] = (0, 0, 255)
BGR = SCENE[..., ::-1]


def save(path, image=None, **options):
    (image or Image.fromarray(SCENE)).save(path, **options)
    return str(path)


def test_folders_patterns_and_lists(tmp_path):
    (tmp_path / "sub").mkdir()
    a, b = save(tmp_path / "b.PNG"), save(tmp_path / "sub/a.jpg")
    (tmp_path / "notes.txt").write_text("no image")
    (tmp_path / ".hidden.png").write_bytes(b"")
    assert list_sources(tmp_path) == [a, b]
    assert list_sources(str(tmp_path / "*.PNG")) == [a]
    assert list_sources(str(tmp_path / "**/*.jpg")) == [b]
    assert list_sources([a, tmp_path / "sub", "https://x.org/c.jpg"]) == [
        *(a, b),
        "https://x.org/c.jpg",
    ]
    assert list_sources(str(tmp_path / "notes.txt")) == [str(tmp_path / "notes.txt")]


def test_a_file_whose_name_looks_like_a_pattern(tmp_path):
    path = save(tmp_path / "a[1].png")
    assert list_sources(path) == [path]


@pytest.mark.parametrize("name", ["empty", "*.jpg"])
def test_nothing_found_is_an_error(name, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError, match=r"Expected the (folder|pattern)"):
        list_sources(tmp_path / name)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("ending", ["jpg", "png", "webp", "tiff"])
def test_exif_orientation_is_applied(orientation, ending, tmp_path):
    """The stored pixels are made so that turning them as the tag says is SCENE."""
    turns = [(), (), (0,), (3,), (1,), (5,), (2,), (6,), (4,)]
    stored = Image.fromarray(SCENE)
    for turn in turns[orientation]:
        stored = stored.transpose(turn)
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"webp": {"lossless": True}, "jpg": {"quality": 100, "subsampling": 0}}
    path = save(tmp_path / f"a.{ending}", stored, exif=exif, **options.get(ending, {}))
    with Image.open(path) as image:
        assert image.size == stored.size or ending == "tiff"
    pixels = read_source(path).pixels
    assert pixels.shape == BGR.shape
    assert np.abs(pixels.astype(int) - BGR).max() < 8


MODES = {
    "L": np.repeat(cv2.cvtColor(SCENE, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2),
    "CMYK": BGR,
    "RGBA": BGR,
    "P": BGR,
}


@pytest.mark.parametrize("mode", MODES)
def test_modes_of_pixels(mode, tmp_path):
    image = Image.fromarray(SCENE).convert(mode)
    path = save(tmp_path / "a.tiff", image)
    for picture in (read_source(path), read_source(image)):
        assert np.abs(picture.pixels.astype(int) - MODES[mode]).max() <= 1


def test_sixteen_bits_keep_their_range(tmp_path):
    deep = np.array([[0, 256, 65535]], np.uint16)
    cv2.imwrite(str(tmp_path / "a.png"), deep)
    assert read_source(str(tmp_path / "a.png")).pixels[0, :, 0].tolist() == [0, 1, 255]


def test_of_an_animation_the_first_frame_is_taken_and_said(tmp_path, caplog):
    frames = [Image.fromarray(np.full((4, 4), v, np.uint8)) for v in (0, 100, 200)]
    path = save(tmp_path / "a.gif", frames[0], save_all=True, append_images=frames[1:])
    picture = read_source(path)
    assert picture.num_frames == 3
    assert picture.pixels.max() == 0


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


def test_addresses(tmp_path):
    save(tmp_path / "a.png")
    handler = partial(Quiet, directory=str(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        root = f"http://127.0.0.1:{server.server_port}"
        picture = read_source(f"{root}/a.png")
        assert np.array_equal(picture.pixels, BGR)
        assert picture.source == f"{root}/a.png"
        with pytest.raises(DataError, match=r"missing\.png to be an image.*404"):
            read_source(f"{root}/missing.png")
        server.shutdown()


def test_arrays_say_their_order():
    assert np.array_equal(read_source(BGR).pixels, BGR)
    assert np.array_equal(read_source(SCENE, "rgb").pixels, BGR)
    assert np.array_equal(read_source(Image.fromarray(SCENE)).pixels, BGR)
    assert read_source(SCENE[..., 0]).pixels.shape == (20, 30, 3)
    for wrong in (SCENE.astype(np.float32), SCENE[None], SCENE[:0]):
        with pytest.raises(DataError, match="Expected an array to be an image"):
            read_source(wrong)


def test_what_cannot_be_read_is_named(tmp_path):
    good = save(tmp_path / "good.png")
    (tmp_path / "bad.jpg").write_bytes(b"no image")
    buffer = io.BytesIO()
    Image.fromarray(SCENE).save(buffer, "JPEG")
    (tmp_path / "cut.jpg").write_bytes(buffer.getvalue()[:-200])
    names = ["bad.jpg", "cut.jpg", "missing.jpg", "film.mp4"]
    sources = [str(tmp_path / name) for name in names]
    left_out = []
    pictures = list(
        read_sources(
            [sources[0], good, *sources[1:]],
            "bgr",
            unreadable=lambda source, error: left_out.append((source, str(error))),
        )
    )
    assert [picture.source for picture in pictures] == [good]
    assert [source for source, _ in left_out] == sources
    assert all(source in reason for source, reason in left_out)
    with pytest.raises(DataError, match=r"bad\.jpg"):
        list(read_sources(sources, "bgr"))
