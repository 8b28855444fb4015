"""The Online Retail data set, measured and replayed."""
