"""Pre-training without labels on any recorded stream, and what of it another shop can start from."""
