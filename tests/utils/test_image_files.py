from __future__ import annotations

import io
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from mmdgdm.errors import DataError
from mmdgdm.utils.image_files import DECODERS, read_image, read_mask

PIXELS = np.random.default_rng(0).integers(0, 256, (40, 60, 4), dtype=np.uint8)
#: Smooth, so that JPEG changes little.
PHOTO = cv2.GaussianBlur(PIXELS[..., :3], (0, 0), 4)
GREY = PHOTO[..., 0]


def encode(pixels: np.ndarray, format_: str, mode: str | None = None, **options):
    image = Image.fromarray(pixels)
    image = image.convert(mode) if mode else image
    buffer = io.BytesIO()
    image.save(buffer, format_, **options)
    return buffer.getvalue()


def write(folder: Path, content: bytes, name: str = "a.img") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def thumbnail_in_header() -> bytes:
    exif = Image.Exif()
    small = encode(PHOTO[:8, :8], "JPEG")
    exif[0x010E] = "x" * 20
    plain = encode(PHOTO, "JPEG", quality=95, exif=exif)
    comment = b"\xff\xfe" + (len(small) + 2).to_bytes(2, "big") + small
    return plain[:2] + comment + plain[2:]


JPEGS = {
    "baseline": encode(PHOTO, "JPEG", quality=95),
    "progressive": encode(PHOTO, "JPEG", quality=95, progressive=True),
    "grey": encode(GREY, "JPEG"),
    "thumbnail": thumbnail_in_header(),
}
OTHERS = {
    "png": encode(PHOTO, "PNG"),
    "palette": encode(PHOTO, "PNG", "P"),
    "webp": encode(PHOTO, "WEBP", lossless=True),
    "lossy-webp": encode(PHOTO, "WEBP"),
    "gif": encode(PHOTO, "GIF", "P"),
    "bmp": encode(PHOTO, "BMP"),
    "tiff": encode(PHOTO, "TIFF"),
    "lzw-tiff": encode(PHOTO, "TIFF", compression="tiff_lzw"),
    "ppm": encode(PHOTO, "PPM"),
}
CUTS = (0.02, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99, 0.999)


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
class TestTruncatedFiles:
    @pytest.mark.parametrize("decoder", DECODERS)
    @pytest.mark.parametrize("kind", [*JPEGS, "png", "palette", "webp", "lossy-webp"])
    def test_are_refused_wherever_they_end(self, tmp_path, kind, decoder):
        content = {**JPEGS, **OTHERS}[kind]
        ends = {int(len(content) * share) for share in CUTS}
        for end in sorted(ends | {len(content) - 2, len(content) - 1}):
            path = write(tmp_path, content[:end])
            # What OpenCV decodes before is what older releases fill the gap with.
            cv2.imdecode(np.frombuffer(JPEGS["baseline"], np.uint8), cv2.IMREAD_COLOR)
            with pytest.raises(DataError, match=r"a\.img .* cannot be decoded"):
                read_image(path, decoder=decoder)

        path = write(tmp_path, content)
        assert read_image(path, decoder=decoder).shape == (40, 60, 3)

    @pytest.mark.parametrize("kind", OTHERS)
    def test_load_whole_or_not_at_all(self, tmp_path, kind):
        content = OTHERS[kind]
        whole = read_image(write(tmp_path, content))
        for share in np.linspace(0.01, 1, 60):
            path = write(tmp_path, content[: int(len(content) * share)])
            try:
                found = read_image(path)
            except DataError:
                continue
            assert np.array_equal(found, whole), share

    @pytest.mark.parametrize("kind", JPEGS)
    def test_are_refused_where_the_decoder_fills_the_gap(
        self, tmp_path, kind, monkeypatch
    ):
        monkeypatch.setattr(cv2, "imdecode", lambda content, flags: PHOTO.copy())
        content = JPEGS[kind]
        assert np.array_equal(read_image(write(tmp_path, content)), PHOTO)

        with pytest.raises(DataError, match="it is truncated"):
            read_image(write(tmp_path, content[: len(content) // 2]))
        # As a disk leaves a file that it could not finish.
        blank = content[: len(content) // 2] + bytes(len(content) // 2)
        with pytest.raises(DataError, match="it is truncated"):
            read_image(write(tmp_path, blank))

    @pytest.mark.parametrize("decoder", DECODERS)
    def test_what_follows_the_end_is_no_damage(self, tmp_path, decoder):
        trailer = b"\0\0\r\n" + b"\xff\xda\x12\x34video"
        for kind in ("baseline", "png"):
            content = {**JPEGS, **OTHERS}[kind]
            found = read_image(write(tmp_path, content + trailer), decoder=decoder)
            whole = read_image(write(tmp_path, content), decoder=decoder)
            assert np.array_equal(found, whole)

    def test_fill_bytes_between_segments_are_no_damage(self, tmp_path):
        content = JPEGS["baseline"]
        filled = content[:2] + b"\xff\xff" + content[2:]

        whole = read_image(write(tmp_path, content))
        assert np.array_equal(read_image(write(tmp_path, filled)), whole)

    @pytest.mark.parametrize("end", range(40))
    def test_a_header_alone_is_refused(self, tmp_path, end):
        for content in (JPEGS["baseline"], OTHERS["png"]):
            with pytest.raises(DataError, match=r"a\.img"):
                read_image(write(tmp_path, content[:end]))

    def test_masks_too(self, tmp_path):
        content = encode(GREY > 127, "PNG")
        for end in (len(content) // 2, len(content) - 3):
            with pytest.raises(DataError, match=r"a\.img .*it is truncated"):
                read_mask(write(tmp_path, content[:end]))


def deep(pixels: np.ndarray, ending: str) -> bytes:
    return cv2.imencode(ending, pixels)[1].tobytes()


RGB, ALPHA = PIXELS[..., :3], PIXELS[..., 3]
BGR = RGB[..., ::-1]
DEEP = np.array([[0, 255, 256, 65535], [128, 4096, 32768, 65280]], np.uint16)
#: A file and its pixels in BGR, worked out without a decoder.
PIXEL_FORMATS = {
    "rgb": (encode(RGB, "PNG"), BGR),
    "grey": (encode(ALPHA, "PNG"), np.dstack([ALPHA] * 3)),
    "bit": (encode(ALPHA > 99, "PNG"), np.dstack([(ALPHA > 99) * 255] * 3)),
    "rgba": (encode(PIXELS, "PNG"), BGR),
    "rgba-tiff": (encode(PIXELS, "TIFF"), BGR),
    "grey-alpha": (
        encode(np.dstack([ALPHA, RGB[..., 0]]), "PNG"),
        np.dstack([ALPHA] * 3),
    ),
    "cmyk": (
        encode(np.zeros((4, 6, 4), np.uint8), "TIFF", "CMYK"),
        np.zeros((4, 6, 3)),
    ),
    "grey-16": (deep(DEEP, ".png"), np.dstack([DEEP >> 8] * 3)),
    "grey-16-tiff": (deep(DEEP, ".tif"), np.dstack([DEEP >> 8] * 3)),
    "grey-16-pgm": (deep(DEEP, ".pgm"), np.dstack([DEEP >> 8] * 3)),
    "colour-16": (deep(np.dstack([DEEP, DEEP[::-1], DEEP]), ".png"), None),
}


class TestPixelFormats:
    @pytest.mark.parametrize("decoder", DECODERS)
    @pytest.mark.parametrize("kind", PIXEL_FORMATS)
    def test_become_8_bit_colours_alike(self, tmp_path, kind, decoder):
        content, expected = PIXEL_FORMATS[kind]
        if kind == "colour-16":
            expected = np.dstack([DEEP, DEEP[::-1], DEEP]) >> 8
        found = read_image(write(tmp_path, content), decoder=decoder)

        assert found.dtype == np.uint8
        assert found.tolist() == expected.tolist()

    @pytest.mark.parametrize("decoder", DECODERS)
    def test_palette_with_transparency(self, tmp_path, decoder, recwarn):
        image = Image.fromarray(np.array([[0, 1, 2]], np.uint8), "P")
        image.putpalette([10, 20, 30, 40, 50, 60, 70, 80, 90])
        image.save(tmp_path / "a.png", transparency=b"\x00\x80\xff")

        found = read_image(tmp_path / "a.png", decoder=decoder)
        assert found.tolist() == [[[30, 20, 10], [60, 50, 40], [90, 80, 70]]]
        assert not recwarn.list

    @pytest.mark.parametrize("space", ["CMYK", "L", "RGB"])
    def test_jpeg_alike_under_both_decoders(self, tmp_path, space):
        path = write(tmp_path, encode(PHOTO, "JPEG", space, quality=95))
        first, second = (read_image(path, decoder=name) for name in DECODERS)

        assert np.abs(first.astype(int) - second).max() <= 1
        assert np.abs(first - PHOTO[..., ::-1].astype(float)).mean() < 60

    @pytest.mark.parametrize("decoder", DECODERS)
    @pytest.mark.parametrize("dtype", [np.float32, np.int32])
    def test_numbers_that_are_no_levels_are_refused(self, tmp_path, dtype, decoder):
        path = write(tmp_path, encode(DEEP.astype(dtype), "TIFF"))
        with pytest.raises(
            DataError, match=r"a\.img .*its pixels are of .* mode '[FI]'"
        ):
            read_image(path, decoder=decoder)

    def test_a_missing_and_an_empty_file(self, tmp_path):
        for read in (read_image, read_mask):
            with pytest.raises(DataError, match=r"gone\.png .*FileNotFoundError"):
                read(tmp_path / "gone.png")
            with pytest.raises(DataError, match=r"a\.img .*an empty file"):
                read(write(tmp_path, b""))
            with pytest.raises(DataError, match=r"a\.img .*of no known format\.$"):
                read(write(tmp_path, b"this is a text"))


ORIENTATIONS = range(1, 9)


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_pixels_stay_where_the_file_has_them(tmp_path, orientation):
    pixels = np.zeros((20, 30), np.uint8)
    pixels[2:7, 4:15] = 255
    exif = Image.Exif()
    exif[0x0112] = orientation
    for format_ in ("JPEG", "PNG", "WEBP"):
        options = {} if format_ == "PNG" else {"quality": 100}
        content = encode(np.dstack([pixels] * 3), format_, exif=exif, **options)
        path = write(tmp_path, content)
        for decoder in DECODERS:
            found = read_image(path, decoder=decoder)
            assert found.shape == (20, 30, 3)
            assert np.array_equal(found.min(axis=2) > 127, pixels > 0)
    path = write(tmp_path, encode(pixels, "PNG", exif=exif))
    assert np.array_equal(read_mask(path), pixels > 0)


def test_turned_tiff_is_refused(tmp_path):
    for read in (read_image, read_mask):
        path = write(tmp_path, encode(ALPHA, "TIFF", tiffinfo={0x0112: 1}))
        assert read(path).shape[:2] == (40, 60)
        path = write(tmp_path, encode(ALPHA, "TIFF", tiffinfo={0x0112: 6}))
        with pytest.raises(DataError, match=r"a\.img .*TIFF by its orientation tag"):
            read(path)


def palette_mask(numbers: list, colors: list[tuple[int, int, int]], **options) -> bytes:
    image = Image.fromarray(np.array(numbers, np.uint8), "P")
    image.putpalette([level for color in colors for level in color])
    buffer = io.BytesIO()
    image.save(buffer, "PNG", **options)
    return buffer.getvalue()


BLACK, WHITE, RED, NAVY = (0, 0, 0), (255, 255, 255), (128, 0, 0), (0, 0, 128)
ROW = np.array([[0, 1, 127, 255]], np.uint8)


def stack(*planes) -> np.ndarray:
    return np.dstack([np.array([plane], np.uint8) for plane in planes])


MASKS = {
    "8-bit": (encode(ROW, "PNG"), [0, 1, 1, 1]),
    "1-bit": (encode(ROW > 99, "PNG"), [0, 0, 1, 1]),
    "16-bit": (
        deep(np.array([[0, 1, 255, 256, 65535]], np.uint16), ".png"),
        [0, 1, 1, 1, 1],
    ),
    "16-bit-tiff": (
        deep(np.array([[0, 1, 255, 256]], np.uint16), ".tif"),
        [0, 1, 1, 1],
    ),
    "16-bit-pgm": (deep(np.array([[0, 1, 255, 256]], np.uint16), ".pgm"), [0, 1, 1, 1]),
    "palette": (palette_mask([[0, 1, 2]], [BLACK, RED, NAVY]), [0, 1, 1]),
    "palette-of-grey": (palette_mask([[0, 1]], [WHITE, BLACK]), [1, 0]),
    "palette-transparent": (
        palette_mask([[0, 1, 2]], [BLACK, RED, NAVY], transparency=0),
        [0, 1, 1],
    ),
    "rgb": (encode(stack([0, 9, 0], [0, 0, 0], [0, 0, 200]), "PNG"), [0, 1, 1]),
    "rgba-opaque": (
        encode(stack([0, 255], [0, 255], [0, 255], [255, 255]), "PNG"),
        [0, 1],
    ),
    "rgba-agreeing": (
        encode(stack([0, 255], [0, 255], [0, 255], [0, 255]), "PNG"),
        [0, 1],
    ),
    "grey-alpha": (encode(stack([0, 7], [255, 255]), "PNG"), [0, 1]),
    "bmp": (encode(ROW, "BMP"), [0, 1, 1, 1]),
    "gif": (encode(ROW, "GIF"), [0, 1, 1, 1]),
    "jpeg": (encode(np.full((1, 2), 255, np.uint8), "JPEG", quality=100), [1, 1]),
}
WHITES = [255, 255]


def png_of_deep_grey_alpha() -> bytes:
    """A pixel of grey level 3 of 65535, opaque, which OpenCV cannot write."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        check = zlib.crc32(kind + body).to_bytes(4, "big")
        return len(body).to_bytes(4, "big") + kind + body + check

    header = (1).to_bytes(4, "big") * 2 + bytes([16, 4, 0, 0, 0])
    pixels = zlib.compress(b"\0" + b"\x00\x03\xff\xff")
    chunks = chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


AMBIGUOUS = {
    "palette-whose-first-is-no-black": (
        palette_mask([[0, 1]], [RED, NAVY]),
        "1 of its pixels differ when read by the numbers of the palette",
    ),
    "palette-with-black-twice": (
        palette_mask([[0, 1, 2, 2]], [BLACK, RED, BLACK]),
        "2 of its pixels .* numbers of the palette",
    ),
    "object-in-the-transparency": (
        encode(stack(WHITES, WHITES, WHITES, [0, 255]), "PNG"),
        "1 of its pixels differ when read by transparency",
    ),
    "grey-object-in-the-transparency": (
        encode(stack([0, 0], [0, 255]), "PNG"),
        "1 of its pixels .* transparency",
    ),
    "numbers-as-dark-colours": (
        encode(stack([0, 1, 3], [0, 0, 0], [0, 0, 0]), "PNG"),
        "2 of its pixels differ when read by the grey level",
    ),
    "16-bit-colours": (
        deep(np.dstack([DEEP] * 3), ".png"),
        r"mode 'RGB, uint16'; save the mask as grey levels",
    ),
    "16-bit-grey-and-transparency": (
        png_of_deep_grey_alpha(),
        "mode '(LA|RGBA), uint16'; save the mask as grey levels",
    ),
    "blurred": (
        encode(np.pad(np.full((4, 4), 255, np.uint8), 6), "JPEG", quality=30),
        "differ when read by the grey level above 127",
    ),
    "cmyk": (encode(RGB, "TIFF", "CMYK"), "mode 'CMYK'; save the mask as grey"),
    "float": (encode(DEEP.astype(np.float32), "TIFF"), "mode 'F'"),
}


class TestReadMask:
    @pytest.mark.parametrize("kind", MASKS)
    def test_is_set_where_it_is_not_black(self, tmp_path, kind):
        content, expected = MASKS[kind]
        found = read_mask(write(tmp_path, content))

        assert found.dtype == bool
        assert found.astype(int).tolist() == [expected]

    @pytest.mark.parametrize("kind", AMBIGUOUS)
    def test_is_refused_where_it_can_be_read_in_two_ways(self, tmp_path, kind):
        content, message = AMBIGUOUS[kind]
        with pytest.raises(DataError, match=rf"a\.img .*{message}"):
            read_mask(write(tmp_path, content))

    @pytest.mark.parametrize(
        "name",
        [
            "8-bit",
            "1-bit",
            "palette",
            "palette-of-grey",
            "rgb",
            "rgba-agreeing",
            "grey-alpha",
            "bmp",
        ],
    )
    def test_reads_what_the_benchmark_reads(self, tmp_path, name):
        path = write(tmp_path, MASKS[name][0])
        theirs = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) > 0

        assert np.array_equal(read_mask(path), theirs)
