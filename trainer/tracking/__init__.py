"""Model cards, provenance, experiment tracking and trials."""
