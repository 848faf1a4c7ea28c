"""From a config to a runner: checks, overrides, processes."""
