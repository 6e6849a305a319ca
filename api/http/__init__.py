"""What every request passes, and the routes."""
