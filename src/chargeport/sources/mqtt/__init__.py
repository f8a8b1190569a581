"""The MQTT source: a subscriber that acknowledges a message once its content is on disk."""
