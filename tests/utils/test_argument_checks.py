"""Argument checks: what passes is returned as it is, the rest is named."""

from __future__ import annotations

import math
import tempfile
from pathlib import Path

import pytest

from mmdgdm.errors import ConfigError
from mmdgdm.utils.argument_checks import (
    check_block_size,
    check_choice,
    check_non_negative,
    check_output_file,
    check_output_folder,
    check_positive_int,
    check_share,
)


@pytest.mark.parametrize("value", [0, 0.5, 1])
def test_shares_include_both_ends(value: float) -> None:
    assert check_share("drop_prob", value) == value


@pytest.mark.parametrize("value", [-0.1, 1.1, math.nan, True, "0.5", None])
def test_what_is_no_share_is_refused(value: object) -> None:
    with pytest.raises(ConfigError, match=r"`drop_prob` to be a number in \[0, 1\]"):
        check_share("drop_prob", value)


def test_ends_of_an_interval_can_be_open() -> None:
    with pytest.raises(ConfigError, match=r"in \(0, 1\], but got 0"):
        check_share("keep_ratio", 0, low_open=True)
    with pytest.raises(ConfigError, match=r"in \[0, 1\), but got 1"):
        check_share("keep_ratio", 1, high_open=True)


@pytest.mark.parametrize("value", [-1, math.inf, math.nan, False, "1"])
def test_finite_numbers_from_zero_on(value: object) -> None:
    assert check_non_negative("loss_weight", 0) == 0.0
    with pytest.raises(ConfigError, match="`loss_weight` to be a finite number >= 0"):
        check_non_negative("loss_weight", value)


def test_choices_keep_their_type_and_are_listed_in_order() -> None:
    assert check_choice("depth", 50, choices={18: "small", 50: "large"}) == 50
    with pytest.raises(ConfigError, match=r"`depth` to be one of 50, 18, but got '50'"):
        check_choice("depth", "50", choices=(50, 18))


def test_a_choice_that_cannot_be_hashed_is_refused_like_others() -> None:
    with pytest.raises(ConfigError, match=r"one of 18, but got \[18\]"):
        check_choice("depth", [18], choices={18: "small"})


@pytest.mark.parametrize("value", [0, -1, 1.0, True, "1"])
def test_whole_numbers_from_one_on(value: object) -> None:
    assert check_positive_int("num_classes", 1) == 1
    with pytest.raises(ConfigError, match="`num_classes` to be a whole number >= 1"):
        check_positive_int("num_classes", value)


@pytest.mark.parametrize("value", [0, 1.0, 0.0, 1.5, True, "3"])
def test_block_sizes_are_pixels_or_shares(value: object) -> None:
    assert check_block_size("block_size", 3) == 3
    assert check_block_size("block_size", 0.2) == 0.2
    with pytest.raises(ConfigError, match="`block_size` to be a whole number >= 1"):
        check_block_size("block_size", value)


def test_a_folder_is_made(tmp_path: Path) -> None:
    check_output_folder("work_dir", tmp_path / "a" / "b")
    assert list((tmp_path / "a" / "b").iterdir()) == []


@pytest.mark.parametrize(
    ("name", "reason"), [("file", "File exists"), ("file/runs", "Not a directory")]
)
def test_a_folder_that_cannot_be_made_is_named(
    tmp_path: Path, name: str, reason: str
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match=f"`work_dir` .*{name} cannot: {reason}"):
        check_output_folder("work_dir", tmp_path / name)


def test_a_folder_that_cannot_be_written_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(dir: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    with pytest.raises(ConfigError, match="cannot: Permission denied"):
        check_output_folder("work_dir", tmp_path)


@pytest.mark.parametrize("name", ["a.pkl", "a", ".", "folder.json"])
def test_a_file_that_cannot_be_written_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder.json").mkdir()
    with pytest.raises(ConfigError, match=r"to be a \.csv, \.json file, but got"):
        check_output_file("--out", tmp_path / name, endings=["json", "csv"])


def test_a_file_with_one_of_the_endings_or_none_passes() -> None:
    check_output_file("--out", "a.json", endings=["json", "csv"])
    check_output_file("--out", None, endings=["json"])
