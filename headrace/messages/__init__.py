"""What comes in and goes out, one typed struct a topic."""
