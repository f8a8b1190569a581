"""Webhooks as Smartcar sends them: what an event contains, when it is made, and how it is delivered."""
