"""OCPP 1.6J and 2.0.1: Chargeport as the central system that charging stations connect to.

`source` is the entry point: the websocket and the life cycle of the source. `admission` decides who may connect,
`station_connection` is one connection, `station` the state of a station, `ocpp16` and `ocpp201` the answers and requests.
"""
