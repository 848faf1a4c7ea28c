"""Search of settings on val."""
