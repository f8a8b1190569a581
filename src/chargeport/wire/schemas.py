"""The JSON Schemas of all documents, for the OpenAPI document."""

from typing import Any, Final

import msgspec
from msgspec import Struct

from chargeport.wire.access import ConnectionDocument, ConnectionList, Health, PageToken, SignedIn, Token
from chargeport.wire.documents import (
    REF,
    Coverage,
    FleetSignals,
    SignalDocument,
    SignalList,
    Stretch,
    ValueAbsence,
    ValueChange,
    ValueList,
    VehicleDocument,
    VehicleList,
)
from chargeport.wire.errors import Error, OAuthError
from chargeport.wire.items import Challenge, IngestResult, NothingAccepted

ALL: Final[tuple[type[Struct], ...]] = (
    SignalDocument, SignalList, FleetSignals, VehicleDocument, VehicleList, ValueList, ValueChange, ValueAbsence, Stretch,
    Coverage, ConnectionDocument, ConnectionList, Error, OAuthError, Health, Challenge, IngestResult,
    NothingAccepted, PageToken, SignedIn, Token,
)  # fmt: skip


def schemas(*more: type[Struct]) -> dict[str, Any]:
    """Return the JSON Schemas of all documents and of these types, by name."""
    _, components = msgspec.json.schema_components([*ALL, *more], ref_template=REF + "{name}")
    return components
