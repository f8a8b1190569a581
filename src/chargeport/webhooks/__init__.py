"""Webhooks as Smartcar sends them: what an event says, when there is one, and how it reaches the receiver."""
