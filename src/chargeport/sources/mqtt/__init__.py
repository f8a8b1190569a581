"""The MQTT source: a subscriber that acknowledges a message once what it means is on disk."""
