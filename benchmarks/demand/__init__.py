"""Demand forecasts and alerts measured."""
