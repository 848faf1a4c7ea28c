"""From images to boxes, without a config's data sets and runners."""
