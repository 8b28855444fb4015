"""Commands that measure models on data sets."""
