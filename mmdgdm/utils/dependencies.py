"""Check that what pip cannot express is installed, and say so in one sentence.

mmcv comes as two distributions of one module (``mmcv`` and ``mmcv-lite``), so
neither can be a hard requirement; mmpretrain needs torchvision and does not
declare it. Both are therefore looked up here, by metadata alone: nothing heavy
is imported.
"""

from __future__ import annotations

from contextlib import suppress
from importlib import metadata, util

from packaging.version import Version

#: By module: who may provide it, from which version on, and what to do otherwise.
REQUIRED = {
    "mmcv": (
        ("mmcv", "mmcv-lite"),
        "2.0.0",
        'install it with `pip install "mmdgdm[lite]"` (mmcv-lite), or keep the '
        "full mmcv if your models use its compiled operators",
    ),
    "torchvision": (
        ("torchvision",),
        "0.21.0",
        "mmpretrain cannot be imported without it: install the release that "
        "matches your torch, in one command with torch so that pip keeps both",
    ),
}


def check_dependencies() -> None:
    """Raise one clear error if a required module is missing or too old.

    Raises:
        ImportError: If no distribution provides the module, if only an older
            version does, or if the distribution is listed but its files are gone.
            The message says what to install.
    """
    for module, (distributions, minimum, advice) in REQUIRED.items():
        versions = []
        for name in distributions:
            with suppress(metadata.PackageNotFoundError):
                versions.append(metadata.version(name))
        if not versions:
            problem = f", but none of {' or '.join(distributions)} is installed"
        elif all(Version(version) < Version(minimum) for version in versions):
            problem = f" >= {minimum}, but {versions[0]} is installed"
        elif util.find_spec(module) is None:
            # Removing one of two distributions of a module deletes it for both.
            problem = (
                ", but its files are missing although pip lists it: uninstall "
                f"{' and '.join(distributions)} first"
            )
        else:
            continue
        raise ImportError(f"mmdgdm needs {module}{problem}: {advice}.")
