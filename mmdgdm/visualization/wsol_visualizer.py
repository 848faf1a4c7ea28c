"""WSOLVisualizer: mmpretrain's visualizer, which also shows localization."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Optional

import numpy as np
from mmpretrain.structures import DataSample
from mmpretrain.visualization import UniversalVisualizer

from mmdgdm.evaluation.functional.image_facts import ImageFacts
from mmdgdm.registry import VISUALIZERS
from mmdgdm.utils.output_paths import path_inside
from mmdgdm.visualization.candidates import Candidate, make_candidate
from mmdgdm.visualization.canvas import Pixels, save_image
from mmdgdm.visualization.choosing import (
    choose_varied,
    kind_shares,
    spread_over_classes,
)
from mmdgdm.visualization.colors import DEFAULT_COLORMAP, get_colormap
from mmdgdm.visualization.growth import draw_growth
from mmdgdm.visualization.picture_files import (
    LISTING,
    OVERVIEW,
    read_pictures,
    write_pictures,
)
from mmdgdm.visualization.sheets import draw_sheet, draw_shot


@VISUALIZERS.register_module()
class WSOLVisualizer(UniversalVisualizer):
    """Visualizer that draws, arranges and saves what localization finds.

    Args:
        name: Its name, as mmengine tells visualizers apart.
        *args: As for mmpretrain's ``UniversalVisualizer``.
        colormap: Name of the colour map of matplotlib that maps are drawn in.
        **kwargs: As for ``UniversalVisualizer``, such as ``vis_backends``.

    Raises:
        ConfigError: If there is no such colour map.
    """

    make_candidate = staticmethod(make_candidate)
    spread_over_classes = staticmethod(spread_over_classes)

    def __init__(
        self,
        name: str = "visualizer",
        *args: Any,
        colormap: str = DEFAULT_COLORMAP,
        **kwargs: Any,
    ) -> None:
        super().__init__(name, *args, **kwargs)
        get_colormap(colormap)
        self.colormap = colormap

    def draw_localization(
        self,
        image: np.ndarray,
        data_sample: DataSample,
        *,
        threshold: float,
        classes: Optional[list[str]] = None,
    ) -> tuple[Pixels, ImageFacts]:
        """Draw heatmap, ground-truth boxes and predicted box of one sample.

        The map shown is the first of ``cam`` (the ground-truth class where it is
        known). Its box is found as the metrics find it: at ``threshold`` of the
        map's maximum, single contour, on the 224 x 224 grid.

        Args:
            image: (H, W, 3) uint8, RGB, of any size: it shows the whole
                original image.
            data_sample: With ``cam``, ``cam_labels`` and ``ori_shape``;
                ``gt_bboxes``, ``gt_label`` and ``pred_score`` where they are known.
            threshold: Share of the map's maximum, in [0, 1).
            classes: Names of the classes.

        Returns:
            The drawing, (H', W', 3) uint8, RGB, and what localization did.

        Raises:
            DataError: If the sample has no ``cam`` or no ``ori_shape``.
        """
        candidate = make_candidate(image, data_sample, classes=classes)
        shot = candidate.shot(threshold)
        return draw_shot(shot, colormap=self.colormap), shot.facts

    def save_pictures(
        self,
        folder: Path,
        candidates: Mapping[int, Candidate],
        *,
        threshold: float,
        fixed: Collection[int],
        on_sheet: int,
        draw: bool = True,
    ) -> Pixels:
        """Write some of the images that were seen, and a sheet.

        The images of the sheet are chosen so that all kinds of error and all classes
        appear; its title says how common each kind is among all that were seen.

        Args:
            folder: The folder (:mod:`mmdgdm.visualization.picture_files`).
            candidates: The images by their places in the data set.
            threshold: Share of the map's maximum, in [0, 1).
            fixed: Places of images to write whatever came of them; to these come those
                of the sheet.
            on_sheet: How many the sheet holds.
            draw: Whether to make a drawing of each image.

        Returns:
            The sheet, (H, W, 3) uint8, RGB.
        """
        places = sorted(candidates)
        facts = [candidates[place].facts(threshold) for place in places]
        varied = [places[i] for i in choose_varied(facts, on_sheet)]
        written = [place for place in places if place in fixed or place in varied]
        shots = {place: candidates[place].shot(threshold) for place in written}
        write_pictures(folder, shots, draw=draw, colormap=self.colormap)
        panels = [[shots[place]] for place in varied]
        sheet = draw_sheet(panels, title=kind_shares(facts), colormap=self.colormap)
        save_image(sheet, path_inside(folder, OVERVIEW))
        return sheet

    def save_growth(self, folder: Path) -> Pixels:
        """Draw how the maps of the same images changed from validation to validation.

        Args:
            folder: Its subfolders, in the order of their names, are the validations.

        Returns:
            The sheet, (H, W, 3) uint8, RGB, which ``growth.jpg`` holds too.
        """
        steps = {
            re.sub("_0*", " ", path.parent.name): sorted(
                read_pictures(path.parent), key=lambda shot: shot.facts.image_id
            )
            for path in sorted(folder.glob(f"*/{LISTING}"))
        }
        sheet = draw_growth(steps, colormap=self.colormap)
        save_image(sheet, path_inside(folder, "growth.jpg"))
        return sheet
