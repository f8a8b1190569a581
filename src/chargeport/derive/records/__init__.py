"""Sessions as people see them: joined with what was reported, named, placed, priced and edited."""
