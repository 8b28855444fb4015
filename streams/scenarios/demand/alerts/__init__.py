"""How unusual a window is, and the episodes that alerts tell of."""
