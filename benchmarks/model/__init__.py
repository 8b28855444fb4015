"""What the served model costs, beside plain PyTorch."""
