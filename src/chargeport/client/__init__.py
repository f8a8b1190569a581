"""A client of a Chargeport server, for programs: typed reads, history, the stream, and sending from a spool on disk.

It needs the extra `client` (httpx), imports no other module of Chargeport, and uses only the API.
"""

from chargeport.client.http import Client, ServerError
from chargeport.client.spool import Spool
from chargeport.client.types import Bucket, Event, Point, Record, Signal, Vehicle

__all__ = ["Bucket", "Client", "Event", "Point", "Record", "ServerError", "Signal", "Spool", "Vehicle"]
