"""OCPP 1.6J and 2.0.1: Chargeport as the central system that charging stations connect to.

`source` is the place to start: the websocket's end and the source's life. `admission` decides who may connect, `session` is
one connection, `station` what is kept about a station, `ocpp16` and `ocpp201` what it is answered and asked.
"""
