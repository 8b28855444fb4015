"""Recommendations for trigger events, with reasons."""
