"""The page at `/`: the cars, live. It speaks to the API like any other client."""
