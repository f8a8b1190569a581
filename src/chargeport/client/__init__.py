"""A client of a Chargeport server, for programs: typed reads, history, the stream, and sending from a spool on disk.

Needs the extra `client` (httpx). Imports nothing else of Chargeport, and may be used where only the API is reachable.
"""

from chargeport.client.http import Client, ServerError
from chargeport.client.spool import Spool
from chargeport.client.types import Bucket, Event, Point, Record, Signal, Vehicle

__all__ = ["Bucket", "Client", "Event", "Point", "Record", "ServerError", "Signal", "Spool", "Vehicle"]
