"""Images of where a model looks, and plots of scores: drawn by matplotlib."""
