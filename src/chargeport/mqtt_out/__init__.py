"""Publish signals over MQTT: each effective change, retained, with the payload from which Home Assistant adds each car."""
