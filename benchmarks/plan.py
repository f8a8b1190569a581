"""The plan past one machine: a simulated month of 50 million cars on many regions, with failures of nodes and of whole regions.

A discrete-event simulation (simpy) of what the processes of `docs/scale.md` do, on the parameters below, which are measured by
the other benchmarks. Every car belongs to a home region, whose database keeps its copy; each region has a standby in the next
one. A region ingests with a number of nodes; each takes so many readings a second. Nodes and regions fail and come back at
random. What can't be taken is refused and waits at its source, which sends it again: nothing is lost, it is late. So the
questions are: how much waits, for how long, and with how many nodes too few.

    python -m benchmarks.plan [--cars 50000000] [--regions 5] [--spare 0.1 0.3 0.5 1.0] [--days 30] [--seed 1]
"""

import argparse
import random
from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Any

import simpy

STEP_S = 5.0  # how often what waits is brought up to date
READINGS_A_CAR_S = (
    0.012  # of all cars at all times: a tenth of them charge, and tell four changes a minute; others an hourly one
)
NODE_A_S = 9_000  # readings that one ingest node of two cores commits: a fifth of what `benchmarks.postgres` measured
NODE_FAILS_EVERY_S = 30 * 86_400.0
NODE_BACK_IN_S = (60.0, 900.0)
LEASE_S = 10.0  # until another node has taken over what a dead one did once for all
REGION_FAILS_EVERY_S = 90 * 86_400.0
REGION_BACK_IN_S = (600.0, 7_200.0)
STANDBY_S = 60.0  # until the standby of a region that is gone takes its writes


@dataclass
class Region:
    """Some of the cars: the nodes that are up, what waits at the sources, and how late the last of that is."""

    rate: float  # readings a second, of its cars
    nodes: int
    up: int
    is_up: bool = True
    is_moved: bool = False  # the standby has taken over
    waiting: float = 0.0
    late_s: list[float] = field(default_factory=list)
    failed_nodes: int = 0
    failed_regions: int = 0


Events = Generator[simpy.Event, Any, None]


def main() -> None:
    """Simulate and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cars", type=int, default=50_000_000)
    parser.add_argument("--regions", type=int, default=5)
    parser.add_argument("--spare", type=float, nargs="+", default=[0.1, 0.3, 0.5, 1.0], help="more nodes than the load needs")
    parser.add_argument("--days", type=float, default=30)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    print(f"{'spare':>6} {'nodes':>6} {'node / region failures':>22} {'late > 10 s':>12} {'p99.9 s':>8} {'max s':>8}")
    for spare in asked.spare:
        regions = simulate(asked.cars, asked.regions, spare, asked.days * 86_400, random.Random(asked.seed))
        late = sorted(each for region in regions for each in region.late_s)
        failed = f"{sum(each.failed_nodes for each in regions)} / {sum(each.failed_regions for each in regions)}"
        print(
            f"{spare:>6.0%} {sum(each.nodes for each in regions):>6} {failed:>22}"
            f" {sum(each > LEASE_S for each in late) / len(late):>12.4%} {late[int(len(late) * 0.999)]:>8.0f} {late[-1]:>8.0f}"
        )


def simulate(cars: int, count: int, spare: float, duration_s: float, draw: random.Random) -> list[Region]:
    """Return the regions, after so many seconds."""
    rate = cars * READINGS_A_CAR_S / count
    nodes = max(2, round(rate * (1 + spare) / NODE_A_S))
    regions = [Region(rate, nodes, nodes) for _ in range(count)]
    world = simpy.Environment()
    for number, region in enumerate(regions):
        world.process(_work(world, region, regions[(number + 1) % count]))
        world.process(_lose_region(world, region, draw))
        for _ in range(nodes):
            world.process(_lose_node(world, region, draw))
    world.run(until=duration_s)
    return regions


def _work(world: simpy.Environment, region: Region, standby: Region) -> Events:
    """Take what is sent and what waits, as far as the nodes that are there reach; note how late it is."""
    while True:
        yield world.timeout(STEP_S)
        room = _room(region, standby) * STEP_S
        region.waiting = max(0.0, region.waiting + region.rate * STEP_S - room)
        region.late_s.append(region.waiting / region.rate)


def _room(region: Region, standby: Region) -> float:
    """How many readings of a region are taken a second: by its own nodes, or by what its standby has to spare."""
    if region.is_up:
        return region.up * NODE_A_S
    if region.is_moved and standby.is_up:
        return max(0.0, standby.up * NODE_A_S - standby.rate)
    return 0.0


def _lose_node(world: simpy.Environment, region: Region, draw: random.Random) -> Events:
    """One node: it fails and comes back."""
    while True:
        yield world.timeout(draw.expovariate(1 / NODE_FAILS_EVERY_S))
        region.up -= 1
        region.failed_nodes += 1
        yield world.timeout(LEASE_S + draw.uniform(*NODE_BACK_IN_S))
        region.up += 1


def _lose_region(world: simpy.Environment, region: Region, draw: random.Random) -> Events:
    """Let a region fail as a whole: its standby takes its writes, and it comes back."""
    while True:
        yield world.timeout(draw.expovariate(1 / REGION_FAILS_EVERY_S))
        region.is_up = False
        region.failed_regions += 1
        away_s = draw.uniform(*REGION_BACK_IN_S)
        yield world.timeout(min(STANDBY_S, away_s))
        region.is_moved = True
        yield world.timeout(max(0.0, away_s - STANDBY_S))
        region.is_up, region.is_moved = True, False


if __name__ == "__main__":
    main()
