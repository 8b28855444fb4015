"""How well a model ranks."""
