"""What recommended lists are like."""
