"""Check that what pip cannot express is installed, and say so in one sentence.

mmcv comes as two distributions of one module (``mmcv`` and ``mmcv-lite``), so
neither can be a hard requirement; mmpretrain needs torchvision and does not
declare it. Both are therefore looked up here, by metadata alone: nothing heavy
is imported.
"""

from __future__ import annotations

from importlib import metadata, util
from typing import Callable, NamedTuple, Optional

from packaging.version import Version


class Dependency(NamedTuple):
    """A required module: who may provide it, and from which version on."""

    module: str
    distributions: tuple[str, ...]
    minimum: str
    advice: str


#: The modules that are checked when :mod:`mmdgdm.registry` is imported.
REQUIRED = (
    Dependency(
        "mmcv",
        ("mmcv", "mmcv-lite"),
        "2.0.0",
        'install it with `pip install "mmdgdm[lite]"` (mmcv-lite), or keep the '
        "full mmcv if your models use its compiled operators",
    ),
    Dependency(
        "torchvision",
        ("torchvision",),
        "0.21.0",
        "mmpretrain cannot be imported without it: install the release that "
        "matches your torch, in one command with torch so that pip keeps both",
    ),
)


def _installed_version(distribution: str) -> Optional[str]:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def _has_files(module: str) -> bool:
    return util.find_spec(module) is not None


def check_dependencies(
    required: tuple[Dependency, ...] = REQUIRED,
    find_version: Callable[[str], Optional[str]] = _installed_version,
    has_files: Callable[[str], bool] = _has_files,
) -> None:
    """Raise one clear error if a required module is missing or too old.

    Args:
        required: What to look for.
        find_version: Maps a distribution's name to its installed version, or
            to ``None`` where it is not installed.
        has_files: Whether a module of this name can be found, without importing
            it.

    Raises:
        ImportError: If no distribution provides the module, if only an older
            version does, or if the distribution is listed but its files are gone.
            The message says what to install.
    """
    for item in required:
        found = [v for v in map(find_version, item.distributions) if v is not None]
        if not found:
            names = " or ".join(item.distributions)
            raise ImportError(
                f"mmdgdm needs {item.module}, but none of {names} is installed: "
                f"{item.advice}."
            )
        if all(Version(v) < Version(item.minimum) for v in found):
            raise ImportError(
                f"mmdgdm needs {item.module} >= {item.minimum}, but {found[0]} is "
                f"installed: {item.advice}."
            )
        if not has_files(item.module):
            # Removing one of two distributions of a module deletes it for both.
            raise ImportError(
                f"mmdgdm needs {item.module}, but its files are missing although "
                f"pip lists it: uninstall {' and '.join(item.distributions)}, then "
                f"{item.advice}."
            )
