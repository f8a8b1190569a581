"""Sources: what brings in the words of cars and wallboxes, with no idea yet what they mean."""
