"""Put the first three hits and the first three misses of a test run on one sheet.

The images are those that ``tools/test.py --show-dir`` wrote, which are spread
evenly over the data set; the first ones are taken, none is chosen by hand.

    python experiments/pictures.py work_dirs/pictures docs/pictures/sheet.jpg
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import cv2

from mmdgdm.visualization.panel import contact_sheet, save_image


def main() -> None:
    """Parse the arguments and write the sheet."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="what --show-dir wrote")
    parser.add_argument("sheet", type=Path, help="the image to write")
    parser.add_argument("--each", type=int, default=3, help="hits, and misses")
    args = parser.parse_args()
    listed = json.loads((args.folder / "pictures.json").read_text())
    hits = [entry["file"] for entry in listed if entry["iou"] >= 0.5]
    misses = [entry["file"] for entry in listed if entry["iou"] < 0.5]
    if min(len(hits), len(misses)) < args.each:
        raise SystemExit(
            f"error: {args.folder} holds only {len(hits)} hits, {len(misses)} misses"
        )
    columns = [
        [cv2.imread(str(args.folder / name)) for name in names[: args.each]]
        for names in (hits, misses)
    ]
    # Left the hits, right the misses.
    panels = [panel for row in zip(*columns) for panel in row]
    sheet = contact_sheet([panel[..., ::-1] for panel in panels])
    save_image(sheet, args.sheet, quality=80)
    print(f"Wrote {args.sheet}")


if __name__ == "__main__":
    main()
