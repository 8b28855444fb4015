"""What all commands share: arguments, output and errors."""
