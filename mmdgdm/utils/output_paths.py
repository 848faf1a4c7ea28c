"""Names of foreign data as paths: below one folder, whatever they say."""

from __future__ import annotations

from pathlib import Path, PurePath

from mmdgdm.errors import DataError
from mmdgdm.utils.faults import PathLike


def path_inside(folder: PathLike, name: str) -> Path:
    """The path of a name below a folder.

    Args:
        folder: The folder; it need not exist.
        name: A relative path.

    Returns:
        ``folder/name``.

    Raises:
        DataError: If that is not below the folder: the name is empty or absolute, holds
            ``..`` or a null character, or a link leads out of the folder.

    Example:
        >>> path_inside("maps", "a/1.jpg.npy").as_posix()
        'maps/a/1.jpg.npy'
    """
    parts = PurePath(name)
    if not name or parts.anchor or ".." in parts.parts:
        raise DataError(
            f"Expected names that are paths below a folder, but got {name!r}."
        )
    path = Path(folder, name)
    try:
        is_inside = path.resolve().is_relative_to(Path(folder).resolve())
    except (OSError, ValueError, RuntimeError) as error:
        raise DataError(f"{name!r} cannot be a path ({error}).") from error
    if not is_inside:
        raise DataError(
            f"Expected {path} to lie below {folder}, but a link leads out of it, to "
            f"{path.resolve()}."
        )
    return path
