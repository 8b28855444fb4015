"""How the servers are reached: one module a server turns settings into what its clients take."""
