"""Webhooks in Smartcar's form: the content, creation and delivery of events."""
