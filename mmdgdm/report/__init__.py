"""One page that shows results: numbers, plots and images, readable offline."""
