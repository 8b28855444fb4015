"""The demand forecaster."""
