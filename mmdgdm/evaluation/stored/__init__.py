"""Maps, scores, metadata and thresholds as files."""
