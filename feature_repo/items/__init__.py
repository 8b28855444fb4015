"""An item's features, its windows and the index of windows that are due."""
