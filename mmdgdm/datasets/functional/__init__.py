"""Pure functions of the data layer: numpy and OpenCV only, no file access."""
