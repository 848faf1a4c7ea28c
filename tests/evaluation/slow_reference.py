"""Box scores written down once more, slowly and literally, from their rules.

Nothing here is shared with the library: every threshold is looked at by itself,
boxes are plain tuples, and overlaps are counted in Python integers.
"""

import cv2
import numpy as np

SIDE = 224


def normalise(scoremap, side=SIDE):
    """Upsample in float64, then stretch to [0, 1]; a constant map is all zeros."""
    wide = np.array(scoremap, dtype=np.float64)
    large = cv2.resize(wide, (side, side), interpolation=cv2.INTER_CUBIC)
    low = min(min(row) for row in large.tolist())
    high = max(max(row) for row in large.tolist())
    if low == high:
        return np.zeros((side, side))
    return np.array([[(v - low) / (high - low) for v in row] for row in large.tolist()])


def quantise(normalised):
    """Truncate 255 times the map."""
    rows = [[int(v * 255) for v in row] for row in normalised.tolist()]
    return np.array(rows, dtype=np.uint8)


def count_thresholds(interval):
    """0, interval, 2 * interval, ... as numpy's arange has them."""
    return [float(t) for t in np.arange(0, 1, interval)]


def find_boxes(quantised, threshold, multi):
    """Boxes at one threshold: of the largest contour, or of all of them."""
    height, width = quantised.shape
    level = int(threshold * int(quantised.max()))
    mask = np.zeros((height, width), dtype=np.uint8)
    mask[quantised > level] = 255
    found = cv2.findContours(mask, cv2.RETR_TREE, cv2.CHAIN_APPROX_SIMPLE)[0]
    chosen = list(found)
    if not multi:
        chosen = []
        largest_area = None
        for contour in found:
            area = cv2.contourArea(contour)
            if largest_area is None or area > largest_area:
                largest_area = area
                chosen = [contour]
    boxes = []
    for contour in chosen:
        x, y, w, h = cv2.boundingRect(contour)
        boxes.append((x, y, min(x + w, width - 1), min(y + h, height - 1)))
    return boxes or [(0, 0, 0, 0)]


def iou(a, b):
    """Shared pixels over all pixels of two boxes."""
    width = min(a[2], b[2]) - max(a[0], b[0]) + 1
    height = min(a[3], b[3]) - max(a[1], b[1]) + 1
    shared = max(0, width) * max(0, height)
    area_a = (a[2] - a[0] + 1) * (a[3] - a[1] + 1)
    area_b = (b[2] - b[0] + 1) * (b[3] - b[1] + 1)
    return shared / (area_a + area_b - shared)


def scale(box, image_size, side=SIDE):
    """Scale a box of an image (width, height) and truncate it."""
    width, height = image_size
    x0, y0, x1, y1 = (float(v) for v in box)
    return (
        int(x0 * float(side) / float(width)),
        int(y0 * float(side) / float(height)),
        int(x1 * float(side) / float(width)),
        int(y1 * float(side) / float(height)),
    )


def hits(quantised, targets, thresholds, deltas, multi):
    """Table [delta][threshold]: does any box reach any target?"""
    table = [[] for _ in deltas]
    for threshold in thresholds:
        best = 0.0
        for box in find_boxes(quantised, threshold, multi):
            for target in targets:
                best = max(best, iou(box, target))
        for row, delta in zip(table, deltas):
            row.append(best >= delta)
    return table


def best_of_curve(tables):
    """Percent of images hit at the best threshold, and that threshold's index."""
    best, place = -1.0, None
    for index in range(len(tables[0])):
        right = sum(1 for row in tables if row[index])
        value = right * 100.0 / len(tables)
        if value > best:
            best, place = value, index
    return best, place
