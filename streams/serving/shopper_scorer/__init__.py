"""The scorer of recommendations and click probabilities."""
