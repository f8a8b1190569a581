"""All built-in dialects, by name."""

from typing import Final

from chargeport.dialects.bmw_cardata import BMW_CARDATA
from chargeport.dialects.carconnectivity import CARCONNECTIVITY
from chargeport.dialects.evcc import EVCC
from chargeport.dialects.generic import GENERIC
from chargeport.dialects.home_assistant import HOME_ASSISTANT
from chargeport.dialects.ocpp import OCPP
from chargeport.dialects.ovms import OVMS
from chargeport.dialects.simulator import SIMULATOR
from chargeport.dialects.smartcar import SMARTCAR
from chargeport.dialects.table import Dialect
from chargeport.dialects.tesla import TESLA
from chargeport.dialects.tesla_rest import TESLA_REST
from chargeport.dialects.teslamate import TESLAMATE

ALL: Final[dict[str, Dialect]] = {
    dialect.name: dialect
    for dialect in (
        BMW_CARDATA,
        CARCONNECTIVITY,
        EVCC,
        GENERIC,
        HOME_ASSISTANT,
        OCPP,
        OVMS,
        SIMULATOR,
        SMARTCAR,
        TESLA,
        TESLA_REST,
        TESLAMATE,
    )
}
