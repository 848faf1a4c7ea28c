"""What the tools share: options, how a tool ends, reports in the terminal."""
