r"""Put test runs side by side: a table of scores and a sheet of the same images.

Each RUN is a folder with ``results.json`` (``tools/test.py --out``) and ``pictures/``
(``--show-dir``). The last row of the table is what the last run gains over the first;
with the config of the runs, the row before it is a box in the middle of each image, its
side chosen on val: what a run must beat to tell a place.

    python demo/compare.py work_dirs/demo/cam work_dirs/demo/dgdm --sheet sheet.jpg \
        --config configs/cam/cam_resnet18_1xb32-12e_toy.py
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Optional

from mmengine.config import Config

from mmdgdm.apis import score_baselines
from mmdgdm.errors import DataError
from mmdgdm.visualization.canvas import Pixels, save_image
from mmdgdm.visualization.choosing import choose_varied
from mmdgdm.visualization.picture_files import read_pictures
from mmdgdm.visualization.sheets import draw_sheet

#: Heading: name of the metric. Thresholds are chosen on val where it says so.
COLUMNS = {
    "Top-1 Cls": "wsol/top1_cls",
    "GT-known, val's threshold": "wsol/val_threshold/gt_known",
    "MaxBoxAcc": "wsol/max_box_acc",
    "MaxBoxAccV2": "wsol/max_box_acc_v2",
    "Under-coverage": "wsol/under_coverage",
    "Over-coverage": "wsol/over_coverage",
}


def table(runs: list[Path], config: Optional[Path]) -> str:
    """Format the scores of runs and of a centred box in columns of equal width."""
    scores = [json.loads((run / "results.json").read_text()) for run in runs]
    rows = [
        [run.name.upper(), *(f"{found[key]:.1f}" for key in COLUMNS.values())]
        for run, found in zip(runs, scores)
    ]
    if config is not None:
        box = score_baselines(Config.fromfile(config))["center"]
        shown = [f"{box[key]:.1f}" if key in box else "-" for key in COLUMNS.values()]
        rows.append(["CENTER", *shown])
    gains = [scores[-1][key] - scores[0][key] for key in COLUMNS.values()]
    rows.append(["gain", *(f"{gain:+.1f}" for gain in gains)])
    lines = []
    for row in [["", *COLUMNS], *rows]:
        cells = [text.rjust(len(head)) for text, head in zip(row[1:], COLUMNS)]
        lines.append("  ".join([row[0].ljust(8), *cells]))
    return "\n".join(lines)


def sheet(runs: list[Path], rows: int) -> Pixels:
    """The same images for all runs, a row an image: each run's map beside the others.

    They are chosen so that all kinds of error of the first run, and all classes, appear
    among those that all runs drew.
    """
    found = [
        {shot.facts.image_id: shot for shot in read_pictures(run / "pictures")}
        for run in runs
    ]
    shared = [name for name in found[0] if all(name in other for other in found)]
    if not shared:
        raise SystemExit("error: the runs drew no image in common")
    chosen = choose_varied([found[0][name].facts for name in shared], rows)
    panels = [[shots[shared[i]] for shots in found] for i in chosen]
    return draw_sheet(panels, methods=[run.name.upper() for run in runs], columns=1)


def main() -> None:
    """Parse the arguments, print the table, write the sheet."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN")
    parser.add_argument("--sheet", type=Path, required=True, help="picture to write")
    parser.add_argument("--rows", type=int, default=8, help="images on the sheet")
    parser.add_argument("--config", type=Path, help="whose data a centred box gets")
    args = parser.parse_args()
    for run in args.runs:
        for name in ("results.json", "pictures/pictures.json"):
            if not (run / name).is_file():
                raise SystemExit(f"error: {run / name} is missing")
    print(table(args.runs, args.config))
    try:
        save_image(sheet(args.runs, args.rows), args.sheet)
    except DataError as error:
        raise SystemExit(f"error: {error}") from error


if __name__ == "__main__":
    main()
