"""Signals out over MQTT: each effective change, retained, with what Home Assistant needs to show every car by itself."""
