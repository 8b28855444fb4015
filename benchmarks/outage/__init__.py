"""What shoppers notice while a server or a worker is away."""
