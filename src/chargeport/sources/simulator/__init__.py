"""The car simulator: batteries, charge ports and drivers with real physics, deterministic at any speed."""

from chargeport.sources.simulator.car import Car
from chargeport.sources.simulator.conditions import Condition, Limit
from chargeport.sources.simulator.demo_cars import demo_fleet
from chargeport.sources.simulator.itinerary import Drive, Event, PlugIn, Unplug, roadside_station
from chargeport.sources.simulator.place import Place, Tariff
from chargeport.sources.simulator.profile import CarProfile, Habits
from chargeport.sources.simulator.reporter import Link, Reporter
from chargeport.sources.simulator.simulator import Simulator
from chargeport.sources.simulator.snapshot import FIELDS, LIVE_FIELDS
from chargeport.sources.simulator.station import Station, home_station
from chargeport.sources.simulator.timers import DepartureTimer, Schedule, Timer

__all__ = [
    "FIELDS",
    "LIVE_FIELDS",
    "Car",
    "CarProfile",
    "Condition",
    "DepartureTimer",
    "Drive",
    "Event",
    "Habits",
    "Limit",
    "Link",
    "Place",
    "PlugIn",
    "Reporter",
    "Schedule",
    "Simulator",
    "Station",
    "Tariff",
    "Timer",
    "Unplug",
    "demo_fleet",
    "home_station",
    "roadside_station",
]
