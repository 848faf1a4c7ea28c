"""The one definition of every published number: numpy and OpenCV only."""
