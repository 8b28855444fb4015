"""Feast: entities, sources, views, services, and the folds that define each feature once."""
