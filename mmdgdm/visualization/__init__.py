"""Images of where a model looks: heatmaps, boxes, sheets, curves."""
