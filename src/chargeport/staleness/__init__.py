"""What it means that a car says nothing: for how long its values stand, and when they end."""
