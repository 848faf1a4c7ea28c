"""Put images of a test run on one sheet, so that every kind of error appears.

The images are those that ``tools/test.py --show-dir`` wrote; none is chosen by hand.

    python experiments/pictures.py work_dirs/pictures docs/pictures/sheet.jpg
"""

from __future__ import annotations

import argparse
from pathlib import Path

from mmdgdm.visualization.canvas import save_image
from mmdgdm.visualization.choosing import choose_varied
from mmdgdm.visualization.picture_files import read_pictures
from mmdgdm.visualization.sheets import draw_sheet


def main() -> None:
    """Parse the arguments and write the sheet."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="what --show-dir wrote")
    parser.add_argument("sheet", type=Path, help="the image to write")
    parser.add_argument("--images", type=int, default=8, help="how many")
    args = parser.parse_args()
    shots = read_pictures(args.folder)
    chosen = choose_varied([shot.facts for shot in shots], args.images)
    save_image(draw_sheet([[shots[i]] for i in chosen]), args.sheet)
    print(f"Wrote {args.sheet}")


if __name__ == "__main__":
    main()
