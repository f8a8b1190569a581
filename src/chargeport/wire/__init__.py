"""Smartcar's JSON from our records: what the API, streams, webhooks and commands write alike."""
