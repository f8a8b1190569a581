"""The page at `/`, which shows the cars live. It uses the API like any other client."""
