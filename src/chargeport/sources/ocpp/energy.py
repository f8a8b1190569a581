"""The energy of a transaction, from register readings that may be of another register.

Stations mix registers: one of the lifetime with one of the session, readings that fall to zero for a moment, a reading without
a transaction in the middle of one. A reading is accepted if it continues the transaction: the energy never falls, and never
rises faster than power can flow. Any other reading is ignored. Where a station reports the energy of intervals instead of a
register, the intervals are added.
"""

from typing import Final

import msgspec

from chargeport.sources.ocpp.samples import Reading

MAX_POWER_W: Final = 400_000
"""The most that stations deliver to one car; the limit where power is not sampled."""
POWER_MARGIN: Final = 3
"""Between two samples the power may exceed the largest sample by this factor, because it ramps up."""
MIN_POWER_W: Final = 100_000
"""The power between two samples may always be this high: it may have been sampled at the end only."""
SLACK_WH: Final = 500
"""Meters round, and their samples are not taken exactly at the stated instant."""
ROUNDING_WH: Final = 10
"""A reading may be lower by this because it is rounded in another way."""
OTHER_FACTOR: Final = 4
"""A rise above the limit by this factor is of another register, and so are the readings that follow it."""
RESET_AFTER: Final = 3
"""This many rising readings in a row below the last one show that the register was reset."""

FLOWED_SHARE: Final = 0.9
"""A register that counts from the start of the transaction shows at least this share of what flowed by the sampled power."""
WRAPS_WH: Final = tuple(10**digits for digits in range(6, 10))
"""Where registers begin at 0 again: after a whole number of digits, of 1 MWh or more."""
OTHER_UNIT_FACTOR: Final = 50
"""A register that rises by less than this part of what flowed, by the sampled power, is not in the unit that it names."""
SAMPLED_MS: Final = 3_600_000
"""What flowed between two samples of the power that are further apart is not known: the car may have paused."""

AT_END: Final = "Transaction.End"
"""The context of the last interval, whatever the context of the others."""


class SessionMeter(msgspec.Struct, frozen=True, omit_defaults=True):
    """The energy of a transaction. `start_wh` is the register at its start, in Wh; instants are by our clock.

    `is_read`: there was a reading after the start. `base_wh` is the energy before a reset of the register. `fallen` are the
    last readings below the known one, while they rise. `other_wh` is the lowest reading of another register. `is_named`: the
    station names the transaction in its readings, so that those without its name are not of it. `intervals_wh` is the sum of
    the intervals of one `context`, the last of which ended at `interval_at`. `flowed_wh` is the least energy by the sampled
    power; the last sample was `power_w`, at `power_at`. `export_wh` is the register of exported energy, `is_giving` whether
    more was exported than imported since its last reading. `given_w` is the last sample of exported power where no imported
    power is sampled. `is_misnamed`: the station reports as exported what it delivers. `is_from_begin`: the
    last reading counted from the start of the transaction, though its start has another register. `latest` is
    the last register, in Wh, and its instant while the one at the start is unknown.
    """

    start_wh: float | None = None
    energy_wh: float | None = None
    read_at: int | None = None
    base_wh: float = 0
    max_power_w: float | None = None
    is_read: bool = False
    is_named: bool = False
    fallen: tuple[float, ...] = ()
    other_wh: float | None = None
    intervals_wh: float | None = None
    interval_at: int | None = None
    context: str | None = None
    flowed_wh: float = 0
    power_w: float = 0
    power_at: int | None = None
    export_wh: float | None = None
    is_giving: bool = False
    given_w: float = 0
    is_misnamed: bool = False
    is_from_begin: bool = False
    latest: tuple[float, int] | None = None

    @property
    def total_wh(self) -> float | None:
        """The energy of the transaction; None without a reading after its start."""
        return self.energy_wh if self.is_read and not self.is_stuck else self.intervals_wh

    @property
    def is_stuck(self) -> bool:
        """Whether the register did not rise, or not in Wh, although energy flowed, by the intervals or by the sampled power."""
        has_flowed = self.flowed_wh > SLACK_WH
        if not self.energy_wh:
            return bool(self.intervals_wh) or has_flowed
        is_power_usable = (self.max_power_w or 0) <= MAX_POWER_W  # else the power is not in its unit
        return has_flowed and is_power_usable and self.energy_wh * OTHER_UNIT_FACTOR < self.flowed_wh

    @property
    def last_at(self) -> int | None:
        """The instant of the last reading that `total_wh` includes."""
        return self.read_at if self.is_read and not self.is_stuck else self.interval_at

    @property
    def register_wh(self) -> tuple[float, float] | None:
        """The register at the start and at the last reading; None for one that counts this transaction only, or is stuck."""
        if not self.start_wh or not self.is_read or self.energy_wh is None or self.base_wh or self.is_stuck:
            return None
        return self.start_wh, round(self.start_wh + self.energy_wh, 3)

    def started(self, start_wh: float, at: int) -> "SessionMeter":
        """Return the meter with the register at the start, in Wh, which may be reported after others."""
        begun = msgspec.structs.replace(self, start_wh=start_wh, energy_wh=0, read_at=at, latest=None)
        if self.latest is None or self.latest[1] <= at:
            return begun
        return begun.with_reading([self.latest[0]], self.latest[1], is_named=True)[0]

    def with_samples(
        self, reading: Reading, at: int, *, is_named: bool, may_begin: bool
    ) -> tuple["SessionMeter", list[float]]:  # fmt: skip
        """Return the meter after a reading, and the energies of the transaction that it shows, in Wh.

        `is_named`: it names the transaction. `may_begin`: the first register is that at the start, if that is unknown.
        """
        meter, energies = self.with_misnamed_register(reading, at), list[float]()
        reading = reading.imported() if meter.is_misnamed else reading
        if (power_w := reading.power_w()) is not None:
            meter = meter.with_power(max(power_w, 0), at)
        at_begin = reading.register_wh(at_begin=True)
        is_begin = meter.start_wh is None and (bool(at_begin) or may_begin)
        if is_begin and (registers := at_begin or reading.register_wh()):
            meter, energies = meter.started(registers[0], at), [0]
            if not at_begin:
                return meter.with_export(reading.export_wh(), 0), energies
        before, interval_wh, added_wh = meter, reading.interval_wh(), None
        if interval_wh is not None:
            meter, added_wh = meter.with_interval(interval_wh, at, reading.context)
        meter, energy_wh = meter.with_reading(
            reading.register_wh(), at, is_named=is_named, may_count_from_begin=not reading.is_of_some_phases()
        )
        energy_wh = added_wh if energy_wh is None else energy_wh
        meter = meter.with_given(reading.given_w(), before)
        meter = meter.with_export(reading.export_wh(), (meter.energy_wh or 0) - (before.energy_wh or 0))
        return meter, energies if energy_wh is None else [*energies, energy_wh]

    def with_power(self, power_w: float, at: int) -> "SessionMeter":
        """Return the meter with a sample of the power, in W."""
        during_ms = at - (self.power_at or at)
        if during_ms < 0:
            return self
        flowed_wh = min(power_w, self.power_w) * during_ms / 3_600_000 if during_ms <= SAMPLED_MS else 0
        return msgspec.structs.replace(
            self,
            max_power_w=max(power_w, self.max_power_w or 0) or None,
            flowed_wh=round(self.flowed_wh + flowed_wh, 3),
            power_w=power_w,
            power_at=at,
        )

    def with_interval(self, interval_wh: float, at: int, context: str) -> tuple["SessionMeter", float | None]:
        """Return the meter with the energy of an interval, and the total at its end.

        The total is None if a register shows it, or if the interval is rejected.
        """
        is_other_context = context not in (self.context or context, AT_END)
        is_repeated = self.interval_at is not None and at <= self.interval_at
        if (
            is_other_context
            or is_repeated
            or not 0 <= interval_wh <= self._max_wh(at - (self.interval_at or self.read_at or 0))
        ):
            return self, None
        total_wh = round((self.intervals_wh or 0) + interval_wh, 3)
        found = msgspec.structs.replace(self, intervals_wh=total_wh, interval_at=at, context=self.context or context)
        return found, total_wh if found.is_stuck or not self.is_read else None

    def with_misnamed_register(self, reading: Reading, at: int) -> "SessionMeter":
        """Return the meter with `is_misnamed` set if a register of exported energy, the only one, continues that of the start.

        Both registers of a station that has two differ, unless both count from 0.
        """
        export_wh = reading.export_wh()
        if export_wh is None or reading.register_wh() or not self.start_wh or self.is_read or self.export_wh is not None:
            return self
        is_continued = -ROUNDING_WH <= export_wh - self.start_wh <= self._allowed_wh(at)
        return msgspec.structs.replace(self, is_misnamed=True) if is_continued else self

    def with_given(self, given_w: float | None, before: "SessionMeter") -> "SessionMeter":
        """Return the meter with a sample of exported power; `before` is the meter before the reading.

        Energy that was imported at the power of both samples shows that the power is imported, too.
        """
        during_ms = (self.read_at or 0) - (before.read_at or 0)
        flowed_wh = min(before.given_w, given_w or 0) * during_ms / 3_600_000
        imported_wh = (self.energy_wh or 0) - (before.energy_wh or 0)
        return msgspec.structs.replace(
            self,
            given_w=given_w or 0,
            is_misnamed=self.is_misnamed or (flowed_wh > ROUNDING_WH and imported_wh > flowed_wh / 2),
        )

    def with_export(self, export_wh: float | None, imported_wh: float) -> "SessionMeter":
        """Return the meter with a reading of exported energy, while `imported_wh` was imported."""
        if export_wh is None:
            return self
        exported_wh = export_wh - (export_wh if self.export_wh is None else self.export_wh)
        if 0 < exported_wh <= ROUNDING_WH and imported_wh <= 0:
            return self  # within rounding
        return msgspec.structs.replace(self, export_wh=export_wh, is_giving=exported_wh > max(imported_wh, ROUNDING_WH))

    def with_reading(
        self, candidates: list[float], at: int, *, is_named: bool = False, may_count_from_begin: bool = True
    ) -> tuple["SessionMeter", float | None]:
        """Return the meter with the first of the values that continues the transaction, and its energy; None if none does.

        Values that the sampled power explains are tried first. `is_named`: the reading names the transaction; after one that
        did, others are ignored. `may_count_from_begin`: a register below the one at the start may count from the start; not
        one of some phases, which is a part of the sum.
        """
        if self.start_wh is None or self.energy_wh is None or (self.is_named and not is_named):
            is_latest = self.start_wh is None and is_named and bool(candidates) and at >= (self.latest or (0, at))[1]
            return msgspec.structs.replace(self, latest=(candidates[0], at)) if is_latest else self, None
        known = msgspec.structs.replace(self, is_named=True) if is_named and candidates else self
        if self.other_wh is not None:
            candidates = [value for value in candidates if value < self.other_wh]
        is_late, allowed_wh = at < (self.read_at or at), self._allowed_wh(at)
        if not is_late and (wrap_wh := next((wrap for each in candidates if (wrap := self._wrap_wh(each, at))), None)):
            known = msgspec.structs.replace(known, base_wh=known.base_wh + wrap_wh)
            return known.with_reading(candidates, at, is_named=is_named, may_count_from_begin=False)
        candidates = sorted(candidates, key=lambda value: not self._is_explained(value, at))
        for register_wh in candidates:
            is_below = may_count_from_begin and 0 < register_wh < self.start_wh and not self._has_begun_anew(register_wh)
            for is_from_begin in (False, True) if is_below or self.is_from_begin else (False,):
                start_wh, base_wh = (0, 0) if is_from_begin else (self.start_wh, self.base_wh)
                growth_wh = round(base_wh + register_wh - start_wh - self.energy_wh, 3)
                if is_late and -self.energy_wh <= growth_wh <= 0:
                    return known, round(self.energy_wh + growth_wh, 3)
                if not is_late and -ROUNDING_WH <= growth_wh <= allowed_wh:
                    energy_wh = round(self.energy_wh + max(growth_wh, 0), 3)
                    found = msgspec.structs.replace(
                        known, energy_wh=energy_wh, read_at=at, is_read=True, is_from_begin=is_from_begin, fallen=()
                    )
                    # A register that does not rise is not one.
                    return (known, None) if found.is_stuck else (found, energy_wh)
        return (known, None) if is_late or not candidates else known.without_reading(candidates[0], at, is_named=is_named)

    def _wrap_wh(self, register_wh: float, at: int) -> int | None:
        """Return the number of Wh after which the register began at 0 again, if the sampled power shows that it did.

        The first reading of a transaction shows none: it may count from the start.
        """
        last_wh = (self.start_wh or 0) + (self.energy_wh or 0) - self.base_wh
        wrap_wh = next((each for each in WRAPS_WH if each > last_wh), None)
        is_counted = self.is_read and not self.is_from_begin
        if not is_counted or self.max_power_w is None or wrap_wh is None or register_wh >= last_wh:
            return None
        flowed_wh = POWER_MARGIN * self.max_power_w * (at - (self.read_at or at)) / 3_600_000
        return wrap_wh if wrap_wh + register_wh - last_wh <= flowed_wh else None

    def _has_begun_anew(self, register_wh: float) -> bool:
        """Return whether a register that fell, and rises, shows less than what flowed since the start."""
        is_rising = bool(self.fallen) and register_wh > self.fallen[-1]
        return is_rising and not self.is_from_begin and register_wh < FLOWED_SHARE * self.flowed_wh

    def _is_explained(self, register_wh: float, at: int) -> bool:
        """Return whether the sampled power can have delivered what a value of the register shows."""
        growth_wh = self.base_wh + register_wh - (self.start_wh or 0) - (self.energy_wh or 0)
        flowed_wh = POWER_MARGIN * (self.max_power_w or 0) * (at - (self.read_at or at)) / 3_600_000
        return -ROUNDING_WH <= growth_wh <= flowed_wh + SLACK_WH

    def _allowed_wh(self, at: int) -> float:
        """Return the most that can have been delivered since the last reading, in Wh."""
        return self._max_wh(at - (self.read_at or at))

    def _max_wh(self, during_ms: int) -> float:
        limit_w = MAX_POWER_W if self.max_power_w is None else max(POWER_MARGIN * self.max_power_w, MIN_POWER_W)
        return limit_w * max(during_ms, 0) / 3_600_000 + SLACK_WH

    def without_reading(self, register_wh: float, at: int, *, is_named: bool) -> tuple["SessionMeter", float | None]:
        """Return the meter after a reading that does not continue the transaction; rising readings below are a reset."""
        growth_wh = self.base_wh + register_wh - (self.start_wh or 0) - (self.energy_wh or 0)
        if growth_wh > 0:
            if not self.energy_wh and self.start_wh == 0:
                return self.started(register_wh, at), 0  # all zeros were placeholders: count from here on
            is_other = growth_wh > OTHER_FACTOR * self._allowed_wh(at)
            return msgspec.structs.replace(self, other_wh=register_wh) if is_other else self, None
        fallen = (*self.fallen, register_wh) if self.fallen and register_wh > self.fallen[-1] else (register_wh,)
        if len(fallen) < RESET_AFTER:
            return msgspec.structs.replace(self, fallen=fallen), None
        # After a reset to 0 the first reading is energy, too, if the sampled power can have delivered it.
        is_from_zero = fallen[0] <= (self.max_power_w or 0) * (at - (self.read_at or at)) / 3_600_000
        start_wh = 0.0 if is_from_zero else fallen[0]
        restarted = msgspec.structs.replace(
            self, start_wh=start_wh, base_wh=self.energy_wh or 0, is_from_begin=False, fallen=()
        )  # fmt: skip
        return restarted.with_reading([register_wh], at, is_named=is_named)
