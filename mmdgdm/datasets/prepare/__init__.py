"""Check, unpack and convert data sets as downloaded."""
