"""Cars whose own systems the dialects read: by make, with models that are sold with a charging cable.

The list has examples and is not a limit: through a station, Home Assistant or a user's own program any car can be read. The
model years that a system supports are not known, so there are none here.
"""

from typing import Final, NamedTuple

from chargeport.dialects.bmw_cardata import BMW_CARDATA
from chargeport.dialects.carconnectivity import CARCONNECTIVITY
from chargeport.dialects.table import Dialect
from chargeport.dialects.tesla import TESLA
from chargeport.dialects.tesla_rest import TESLA_REST
from chargeport.dialects.teslamate import TESLAMATE

EUROPE: Final = "EUROPE"
REGIONS: Final = ("US", "CA", EUROPE)
POWERTRAINS: Final = ("BEV", "PHEV", "ICE")  # as in Smartcar; no car here is ICE

_BMW: Final = (BMW_CARDATA,)
_TESLA: Final = (TESLA, TESLA_REST, TESLAMATE)
_VW: Final = (CARCONNECTIVITY,)


class Make(NamedTuple):
    """Models of one make with one powertrain, where they are sold, and which dialects read them."""

    name: str
    powertrain: str
    models: tuple[str, ...]
    dialects: tuple[Dialect, ...]
    regions: tuple[str, ...] = (EUROPE,)


MAKES: Final = (
    Make("Audi", "BEV", ("e-tron GT", "Q4 e-tron", "Q6 e-tron", "Q8 e-tron"), _VW),
    Make("BMW", "BEV", ("i3", "i4", "i5", "i7", "iX", "iX1", "iX2", "iX3"), _BMW),
    Make("BMW", "PHEV", ("3 Series", "5 Series", "X1", "X3", "X5"), _BMW),
    Make("CUPRA", "BEV", ("Born", "Tavascan"), _VW),
    Make("CUPRA", "PHEV", ("Formentor", "Leon"), _VW),
    Make("MINI", "BEV", ("Aceman", "Cooper", "Countryman"), _BMW),
    Make("SEAT", "PHEV", ("Leon",), _VW),
    Make("Škoda", "BEV", ("Elroq", "Enyaq"), _VW),
    Make("Škoda", "PHEV", ("Kodiaq", "Octavia", "Superb"), _VW),
    Make("Tesla", "BEV", ("Model 3", "Model S", "Model X", "Model Y"), _TESLA, REGIONS),
    Make("Volkswagen", "BEV", ("ID. Buzz", "ID.3", "ID.4", "ID.5", "ID.7"), _VW),
    Make("Volkswagen", "PHEV", ("Golf", "Passat", "Tiguan"), _VW),
)
