"""What runs Headrace's servers: `local` starts them on one machine from installed packages."""
