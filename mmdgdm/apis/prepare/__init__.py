"""Check, unpack and describe data sets as they come from their makers."""
