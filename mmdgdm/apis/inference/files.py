"""From image files to files of results."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Any, Optional, Union

import numpy as np
from rich.progress import Progress

from mmdgdm.apis.inference.drawing import draw_result
from mmdgdm.apis.inference.file_names import (
    IMAGES,
    MAPS,
    VIDEOS,
    check_no_result_is_read,
    name_sources,
)
from mmdgdm.apis.inference.localizer import Localizer
from mmdgdm.apis.inference.results import Localization
from mmdgdm.apis.inference.sources import Picture, is_video, list_sources
from mmdgdm.apis.inference.tables import (
    FORMS,
    coco_ground_truth,
    coco_results,
    csv_table,
)
from mmdgdm.apis.inference.videos import VideoFrames, localize_video
from mmdgdm.errors import ConfigError, DataError
from mmdgdm.utils.argument_checks import check_choice, check_output_folder
from mmdgdm.utils.output_paths import path_inside
from mmdgdm.visualization.canvas import save_image

#: Endings of overlays; of other images, they are JPEG.
_OVERLAY_ENDINGS = (".jpg", ".jpeg", ".png")


@dataclass
class Report:
    """What became of the files.

    Attributes:
        entries: ``Localization.to_dict()`` of each image that was read.
        names: The names under which their results stand.
        frames: The number of frames of each video that was read.
        unreadable: Path or address of what could not be read, and why.
    """

    entries: list[dict[str, Any]] = field(default_factory=list)
    names: list[PurePath] = field(default_factory=list)
    frames: dict[str, int] = field(default_factory=dict)
    unreadable: dict[str, str] = field(default_factory=dict)


def localize_files(
    inferencer: Localizer,
    inputs: Any,
    *,
    out_dir: Union[str, Path],
    save: Sequence[str] = ("image", "json"),
    batch_size: int = 1,
    progress: Optional[Progress] = None,
    **kwargs: Any,
) -> Report:
    """Localize images and videos, and write what was found.

    Below ``out_dir`` are written, as ``save`` says:

    - ``image``: ``images/<name>``, the image with map and boxes, under its own name,
    - ``json``: ``predictions.json``, all results and what could not be read,
    - ``coco``: ``coco_results.json`` and ``coco_ground_truth.json``,
    - ``csv``: ``boxes.csv``, a box a line,
    - ``npy``: ``maps/<name>.npy``, the maps (K, h, w) of the classes of
      ``predictions.json``, not normalised,
    - of videos, for ``image`` and ``json``: ``videos/<name>.mp4`` and ``.jsonl``.

    Args:
        inferencer: What localizes.
        inputs: Paths, folders, patterns and addresses.
        out_dir: The folder; made if missing.
        save: Some of :data:`FORMS`.
        batch_size: Images in one pass.
        progress: A progress bar to show the work on.
        **kwargs: As for a call of the inferencer: ``topk``, ``classes``,
            ``all_contours``.

    Returns:
        What became of the files. What cannot be read is noted, and the rest done.

    Raises:
        ConfigError: If an argument does not fit, or nothing is found.
    """
    for form in save:
        check_choice("save", form, choices=FORMS)
    sources = [str(source) for source in list_sources(inputs)]
    if not sources:
        raise ConfigError("Expected images to localize, but got none.")
    out_dir = Path(out_dir)
    check_no_result_is_read(sources, out_dir)
    check_output_folder("out_dir", out_dir)
    named = list(zip(sources, name_sources(sources)))
    report = Report()
    with progress or Progress(disable=True) as bar:
        options: dict[str, Any] = dict(kwargs, batch_size=batch_size, save=save)
        options.update(out_dir=out_dir, bar=bar, report=report)
        stills = [pair for pair in named if not is_video(pair[0])]
        _localize_stills(inferencer, stills, **options)
        for source, name in named:
            if is_video(source):
                _localize_one_video(inferencer, source, name=name, **options)
    _write_tables(inferencer, report, out_dir=out_dir, save=save)
    return report


def _localize_stills(
    inferencer: Localizer,
    named: Sequence[tuple[str, PurePath]],
    *,
    batch_size: int,
    out_dir: Path,
    save: Sequence[str],
    bar: Progress,
    report: Report,
    **kwargs: Any,
) -> None:
    task = bar.add_task("images", total=len(named), visible=bool(named))

    def refuse(source: Any, error: DataError) -> None:
        report.unreadable[str(source)] = str(error)
        bar.advance(task)

    # An image is read, or refused, before its result comes.
    kept = (name for source, name in named if source not in report.unreadable)
    found = inferencer.stream(
        [source for source, _ in named], batch_size, unreadable=refuse, **kwargs
    )
    for picture, result in found:
        name = next(kept)
        report.entries.append(result.to_dict())
        report.names.append(name)
        if "image" in save:
            _save_overlay(out_dir, name, picture=picture, found=result)
        if "npy" in save:
            _save_maps(path_inside(out_dir, f"{MAPS}/{name}.npy"), result)
        bar.advance(task)


def _localize_one_video(
    inferencer: Localizer,
    source: str,
    *,
    name: PurePath,
    batch_size: int,
    out_dir: Path,
    save: Sequence[str],
    bar: Progress,
    report: Report,
    **kwargs: Any,
) -> None:
    target = path_inside(out_dir, f"{VIDEOS}/{name}")
    try:
        count = VideoFrames(source).count
        task = bar.add_task(name.name, total=count or None)
        report.frames[source] = localize_video(
            inferencer,
            source,
            lines=Path(f"{target}.jsonl") if "json" in save else None,
            video=_as_video(target) if "image" in save else None,
            batch_size=batch_size,
            advance=lambda: bar.advance(task),
            **kwargs,
        )
    except DataError as error:
        report.unreadable[source] = str(error)


def _as_video(target: Path) -> Path:
    return target if target.suffix.lower() == ".mp4" else Path(f"{target}.mp4")


def _save_overlay(
    out_dir: Path, name: PurePath, *, picture: Picture, found: Localization
) -> None:
    ending = "" if name.suffix.lower() in _OVERLAY_ENDINGS else ".jpg"
    target = path_inside(out_dir, f"{IMAGES}/{name}{ending}")
    drawn = draw_result(picture.pixels, found)
    save_image(np.ascontiguousarray(drawn[..., ::-1]), target)


def _save_maps(target: Path, found: Localization) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    np.save(target, np.stack([one.scoremap for one in found.classes]))


def _write_tables(
    inferencer: Localizer, report: Report, *, out_dir: Path, save: Sequence[str]
) -> None:
    def write(name: str, content: Any) -> None:
        text = json.dumps(content, indent=1) + "\n"
        (out_dir / name).write_text(text, encoding="utf-8")

    if "json" in save:
        settings = dict(
            threshold=inferencer.threshold,
            threshold_source=inferencer.threshold_source,
            cam_method=inferencer.cam_method,
        )
        facts = dict(images=report.entries, unreadable=report.unreadable)
        write("predictions.json", {**settings, **facts})
    if "coco" in save:
        names = [name.as_posix() for name in report.names]
        write("coco_results.json", coco_results(report.entries))
        write(
            "coco_ground_truth.json",
            coco_ground_truth(report.entries, names, classes=inferencer.classes),
        )
    if "csv" in save:
        table = csv_table(report.entries)
        (out_dir / "boxes.csv").write_text(table, encoding="utf-8")
