"""The Faust application: everything that runs per event."""
