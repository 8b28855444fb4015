"""A seeded shop whose truth is known: tastes, click probabilities and planted demand anomalies."""
