"""How cost grows: with workers, with shoppers in the store, with history."""
