"""A report: one page of HTML that asks nothing of the network."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Optional

import matplotlib as mpl
import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined

from mmdgdm.comparison.results import compare_results
from mmdgdm.errors import ConfigError, DataError
from mmdgdm.evaluation.functional.error_kinds import ERROR_KINDS
from mmdgdm.evaluation.stored.record_files import find_classes
from mmdgdm.evaluation.stored.results import StoredResult, read_result
from mmdgdm.report.figures import make_plots
from mmdgdm.report.gallery import make_gallery
from mmdgdm.report.tables import make_tables
from mmdgdm.utils.faults import PathLike
from mmdgdm.version import __version__
from mmdgdm.visualization.colors import DEFAULT_COLORMAP, PRED_COLOR, TRUE_COLOR
from mmdgdm.visualization.picture_files import LISTING, read_pictures
from mmdgdm.visualization.sheets import Shot

#: Images that a page shows at most, unless said otherwise.
MAX_IMAGES = 2000
#: Where the pictures of a result lie, beside it.
PICTURES = "pictures"
#: Colours of the map that are handed to the page, which blends between them.
_SHADES = 33


def make_report(
    paths: Sequence[PathLike],
    *,
    names: Optional[Sequence[str]] = None,
    pictures: Optional[Sequence[PathLike]] = None,
    title: str = "Where is it? A report on localization",
    max_images: int = MAX_IMAGES,
) -> str:
    """Make a page of one or several results on the same images.

    Args:
        paths: What ``tools/test.py --out`` or ``tools/eval_scoremaps.py --json`` wrote,
            with the records beside each.
        names: What the page calls them; ``None`` for the names of their files or
            folders.
        pictures: For each result the folder that ``tools/test.py --show-dir`` wrote;
            ``None`` for ``pictures`` beside each, and no images unless all have it.
        title: Heading of the page.
        max_images: Images that it shows at most.

    Returns:
        HTML, with all that it needs within.

    Raises:
        ConfigError: If the arguments do not fit together, or two results have one name.
        DataError: If a file cannot be read, or results are not of the same images.
    """
    _check_count("names", names, paths=paths)
    _check_count("pictures", pictures, paths=paths)
    if max_images < 1:
        raise ConfigError(f"Expected `max_images` of 1 or more, but got {max_images}.")
    results = _read_results(paths, names)
    folders = find_pictures(paths) if pictures is None else list(pictures)
    images: list[dict[str, Any]] = []
    drawn = 0
    if folders:
        runs = [_read_shots(*pair) for pair in zip(results, folders)]
        images, drawn = make_gallery(runs, most=max_images)
    has_boxes = all(one.table is not None for one in results)
    comparison = compare_results(paths) if len(paths) > 1 and has_boxes else None
    data = dict(
        runs=[dict(name=one.name, threshold=one.threshold) for one in results],
        kinds=list(ERROR_KINDS),
        images=images,
    )
    return (
        _environment()
        .get_template("report.html")
        .render(
            title=title,
            version=__version__,
            results=results,
            tables=make_tables(results, comparison),
            plots=make_plots(results, find_classes(paths)),
            drawn=drawn,
            data=data,
            shades=_shades(),
            colors=dict(truth=TRUE_COLOR, predicted=PRED_COLOR),
        )
    )


def find_pictures(paths: Sequence[PathLike]) -> list[Path]:
    """The folders ``pictures`` beside results; none unless all have one."""
    folders = [Path(path).parent / PICTURES for path in paths]
    has_all = all((folder / LISTING).is_file() for folder in folders)
    # Results in one folder would share the pictures of one of them.
    return folders if has_all and len(set(folders)) == len(folders) else []


def write_report(path: PathLike, page: str) -> None:
    """Write a page; missing folders are made.

    Raises:
        ConfigError: If it cannot be written.
    """
    try:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text(page, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path} cannot be written ({error}).") from error


def _check_count(
    name: str, values: Optional[Sequence[Any]], *, paths: Sequence[PathLike]
) -> None:
    if not paths:
        raise ConfigError("Expected at least one result to report, but got none.")
    if values is not None and len(values) != len(paths):
        raise ConfigError(
            f"Expected `{name}` to be one for each of {len(paths)} results, but got "
            f"{len(values)}."
        )


def _read_results(
    paths: Sequence[PathLike], names: Optional[Sequence[str]]
) -> list[StoredResult]:
    """The results, each of a name of its own."""
    results = [
        read_result(path, None if names is None else names[place])
        for place, path in enumerate(paths)
    ]
    shown = [one.name for one in results]
    if len(set(shown)) < len(shown):
        raise ConfigError(
            f"Expected results of different names, but got {', '.join(shown)}: set "
            "`names`."
        )
    return results


def _read_shots(result: StoredResult, folder: PathLike) -> list[Shot]:
    """The pictures of a result."""
    shots = read_pictures(folder)
    known = set(result.image_ids)
    strange = [s.facts.image_id for s in shots if s.facts.image_id not in known]
    if known and strange:
        raise DataError(
            f"Expected {folder} to hold pictures of {result.name}, but {strange[0]!r} "
            "is no image of that result."
        )
    return shots


def _shades() -> list[str]:
    """Red, green and blue of the colour map, as an SVG filter takes them."""
    colors = mpl.colormaps[DEFAULT_COLORMAP](np.linspace(0, 1, _SHADES))
    return [" ".join(f"{value:.3f}" for value in colors[:, i]) for i in range(3)]


def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("mmdgdm.report"),
        autoescape=True,
        undefined=StrictUndefined,
    )
