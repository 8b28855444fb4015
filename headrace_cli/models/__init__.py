"""Commands that train, publish and list models."""
