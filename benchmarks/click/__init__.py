"""Click models measured."""
