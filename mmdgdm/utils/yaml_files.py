"""YAML of other programs: values come out, or one kind of error."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from mmdgdm.utils.faults import PathLike


def read_yaml(path: PathLike, loader: type[yaml.SafeLoader] = yaml.SafeLoader) -> Any:
    """Read a YAML file in UTF-8; nothing in it is executed.

    Args:
        path: The file.
        loader: A safe loader.

    Returns:
        What it says. Parts may stand in it many times by reference: their text may be
        far longer than the file.

    Raises:
        OSError: If it cannot be read.
        ValueError: If it is no YAML, or is nested too deeply.
    """
    text = Path(path).read_text(encoding="utf-8")
    try:
        return yaml.load(text, loader)  # a safe one
    except (
        yaml.YAMLError,
        # What PyYAML leaves to the numbers, dates and tags of a file.
        *(LookupError, TypeError, ValueError, AttributeError, OverflowError),
    ) as error:
        raise ValueError(str(error)) from error
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
