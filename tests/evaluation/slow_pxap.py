"""PxAP written down once more, slowly and literally, from its rules.

Nothing here is shared with the library: pixels are looked at one by one, at every
threshold again, and counted in Python integers.
"""

from bisect import bisect_right
from fractions import Fraction

import numpy as np


def nearest(rows, width, height):
    """Resize a table by nearest neighbour, with OpenCV's rule for the source pixel."""

    def source(place, old, new):
        return min(int(place * (1.0 / (new / old))), old - 1)

    columns = [source(x, len(rows[0]), width) for x in range(width)]
    lines = [source(y, len(rows), height) for y in range(height)]
    return [[rows[y][x] for x in columns] for y in lines]


def merge(masks, ignore, width, height):
    """1 on an object, else 255 where ignored, else 0."""
    masks = [nearest(mask, width, height) for mask in masks]
    left_out = nearest(ignore or [[0]], width, height)
    merged = []
    for y in range(height):
        row = []
        for x in range(width):
            if any(mask[y][x] > 0 for mask in masks):
                row.append(1)
            else:
                row.append(255 if left_out[y][x] > 0 else 0)
        merged.append(row)
    return merged


def pixels(images):
    """(score, 0 or 1) of the pixels of (score rows, mask rows) that count."""
    found = []
    for scores, mask in images:
        for score_row, mask_row in zip(scores, mask):
            for score, value in zip(score_row, mask_row):
                if value != 255:
                    found.append((float(score), int(value)))
    return found


def histograms(images, thresholds):
    """Counts of object and of background scores in the benchmark's bins."""
    edges = [float(t) for t in thresholds] + [1.0, 2.0, 3.0]
    counts = {1: [0] * (len(edges) - 1), 0: [0] * (len(edges) - 1)}
    for score, value in pixels(images):
        for place in range(len(edges) - 1):
            if edges[place] <= score < edges[place + 1]:
                counts[value][place] += 1
    return counts[1], counts[0]


def predicted(images, threshold):
    """True positives, false positives and false negatives at one threshold."""
    found = pixels(images)
    true = sum(1 for score, value in found if value == 1 and score >= threshold)
    false = sum(1 for score, value in found if value == 0 and score >= threshold)
    return true, false, sum(value for _, value in found) - true


def pxap(images, thresholds):
    """The area, as a fraction of 100: precision times what recall gains."""
    area, last = Fraction(0), Fraction(0)
    for threshold in [1.0, *reversed([float(t) for t in thresholds])]:
        true, false, missed = predicted(images, threshold)
        if true + false:
            recall = Fraction(true, true + missed)
            area += Fraction(true, true + false) * (recall - last)
            last = recall
    return 100 * area


def pxap_in_floats(positive, negative):
    """The area from two histograms, rounded as the benchmark rounds it."""
    total, true, false, last, terms = float(sum(positive)), 0.0, 0.0, 0.0, []
    for place in reversed(range(len(positive) - 1)):
        true, false = true + positive[place], false + negative[place]
        recall = true / total
        if true + false:
            terms.append(true / (true + false) * (recall - last))
        last = recall
    # numpy adds in pairs, which rounds unlike adding one by one.
    return float(np.sum(terms)) * 100


def fast_histograms(images, thresholds):
    """As ``histograms``, by bisection, for large images."""
    edges = [float(t) for t in thresholds] + [1.0, 2.0, 3.0]
    counts = {1: [0] * (len(edges) - 1), 0: [0] * (len(edges) - 1)}
    for score, value in pixels(images):
        counts[value][bisect_right(edges, score) - 1] += 1
    return counts[1], counts[0]
