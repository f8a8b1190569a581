"""The way in: what is heard, whose car it is, what it means, whom to believe, and to the disk."""
