"""The demonstration: a simulated shop, from nothing to answers, told with the commands a user would type."""
