"""The demo fleet's models: fictitious cars with realistic batteries.

Each is a profile to be completed with an owner's id, home and settings. DC curves have the shape that published test drives
show: a plateau at a low state of charge, steps down in the middle, a tail of some 40 kW at 80 to 90 percent.
"""

from chargeport.sources.simulator.place import Place
from chargeport.sources.simulator.profile import CarProfile

SHOWROOM = Place(name="Showroom", address="1 Example Square", latitude=0.0, longitude=0.0)
NO_ID = "00000000-0000-0000-0000-000000000000"
NO_VIN = "ZZZSYNTH000000000"

GRAND = CarProfile(
    id=NO_ID,
    vin=NO_VIN,
    make="Voltra",
    model="Grand",
    year=2025,
    home=SHOWROOM,
    capacity_kwh=100.0,
    consumption_kwh_per_km=0.19,
    inlet="CCS2",
    onboard_a=16.0,
    onboard_phases=3,
    pack_v=(350.0, 400.0),
    dc_curve=((0, 120_000), (8, 175_000), (40, 170_000), (60, 115_000), (80, 70_000), (90, 40_000), (100, 10_000)),
    fast_charger="CCS",
)

TOURER_800 = CarProfile(
    id=NO_ID,
    vin=NO_VIN,
    make="Volthaus",
    model="Tourer 800",
    year=2025,
    home=SHOWROOM,
    capacity_kwh=84.0,
    consumption_kwh_per_km=0.185,
    inlet="CCS2",
    onboard_a=16.0,
    onboard_phases=3,
    pack_v=(700.0, 800.0),
    dc_curve=((0, 150_000), (6, 240_000), (50, 235_000), (58, 180_000), (80, 120_000), (88, 45_000), (100, 12_000)),
    fast_charger="CCS",
)

RUNABOUT = CarProfile(
    id=NO_ID,
    vin=NO_VIN,
    make="ACME",
    model="Runabout",
    year=2023,
    home=SHOWROOM,
    capacity_kwh=58.0,
    consumption_kwh_per_km=0.165,
    inlet="CCS2",
    onboard_a=16.0,
    onboard_phases=3,
    pack_v=(340.0, 400.0),
    dc_curve=((0, 100_000), (30, 120_000), (50, 90_000), (80, 45_000), (100, 9_000)),
    fast_charger="CCS",
)

FRONTIER = CarProfile(
    id=NO_ID,
    vin=NO_VIN,
    make="ACME",
    model="Frontier",
    year=2024,
    home=SHOWROOM,
    capacity_kwh=75.0,
    consumption_kwh_per_km=0.2,
    inlet="NACS",
    onboard_a=48.0,
    onboard_phases=1,
    pack_v=(330.0, 400.0),
    dc_curve=((0, 120_000), (10, 250_000), (20, 200_000), (50, 110_000), (80, 55_000), (100, 8_000)),
    fast_charger="NACS",
    home_voltage_v=240.0,
)

PICCOLA = CarProfile(
    id=NO_ID,
    vin=NO_VIN,
    make="Motora",
    model="Piccola",
    year=2019,
    home=SHOWROOM,
    capacity_kwh=27.0,
    consumption_kwh_per_km=0.135,
    inlet="Type 2",
    onboard_a=16.0,
    onboard_phases=1,
    pack_v=(320.0, 390.0),
    not_capable=(
        "current_max_a",
        "current_requested_a",
        "port_color",
        "rate_km_h",
        "records",
        "phases",
        "timers",
        "fast_charger",
        "latched",
        "flap_open",
        "fast_charger_present",
        "limits",
    ),
)

FJORD = CarProfile(
    id=NO_ID,
    vin=NO_VIN,
    make="Nordvik",
    model="Fjord",
    year=2022,
    home=SHOWROOM,
    capacity_kwh=64.0,
    consumption_kwh_per_km=0.17,
    inlet="CCS2",
    onboard_a=16.0,
    onboard_phases=3,
    pack_v=(320.0, 400.0),
    dc_curve=((0, 60_000), (35, 75_000), (55, 70_000), (75, 37_000), (90, 20_000), (100, 6_000)),
    fast_charger="CCS",
)
