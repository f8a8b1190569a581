"""The API: Smartcar's JSON, made from what the store says. A route knows no source."""
