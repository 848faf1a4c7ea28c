"""The first import of yapf, beside other processes that import it for the first time.

mmengine's configs import yapf, which keeps its grammar in the user's cache folder. It
gives that file its name before the last bytes are written, so that one of several
processes that start together on a new machine may read a piece of it.
"""

from __future__ import annotations

import importlib
import pickle
import time

from mmdgdm.errors import ResourceError

_PAUSES = (0.05, 0.2, 1.0)  # seconds; the writer needs milliseconds


def import_yapf() -> None:
    """Import yapf, again after a moment if another process is writing its cache.

    Raises:
        ResourceError: If the cached file stays broken, since the process that wrote
            it was killed.
    """
    for pause in (*_PAUSES, None):
        try:
            importlib.import_module("yapf")
            return
        except (EOFError, pickle.UnpicklingError) as error:
            if pause is None:
                raise ResourceError(
                    "yapf, which mmengine imports, cannot read the grammar it keeps in "
                    f"its cache: {error}. Delete the folder {_cache_folder()}."
                ) from error
            time.sleep(pause)


def _cache_folder() -> str:
    platformdirs = importlib.import_module("platformdirs")
    return str(platformdirs.user_cache_dir("YAPF", "Google"))
