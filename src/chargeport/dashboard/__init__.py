"""The page at `/`: the cars, live. It uses the API like any other client."""
