"""The energy of a session, from register readings that may or may not be the session's.

Stations mix registers: one that counts the lifetime with one that counts the session, readings that fall to zero for a moment,
a reading taken without a transaction in the middle of one. A reading counts where it continues what is known of the session:
the energy never falls, and never grows faster than power can flow. A reading that does not is left out; it changes nothing.
Where a station tells no register, but what flowed in each interval, the intervals are added up.
"""

from typing import Final

import msgspec

MAX_POWER_W: Final = 400_000
"""As much as stations deliver to one car today; the limit where the power is not sampled."""
POWER_MARGIN: Final = 3
"""Between two samples the power may be so many times the largest that was sampled: it ramps up."""
MIN_POWER_W: Final = 100_000
"""A session may draw so much between two samples, however little was sampled: it may have been sampled at its end only."""
SLACK_WH: Final = 500
"""Meters of stations round, and their samples are not taken at the instant that they name."""
ROUNDING_WH: Final = 10
"""So much lower a reading may be only because it is rounded in another way."""
OTHER_FACTOR: Final = 4
"""A reading that is too high by this factor is of another register, and so are those that follow it."""
RESET_AFTER: Final = 3
"""So many rising readings in a row below the last one are a register that began anew, not a gap in its readings."""

AT_END: Final = "Transaction.End"
"""The context of the last interval, whatever the others have."""


class SessionMeter(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is known of a session's energy. `start_wh` is the register at its begin, in Wh; instants are by our clock.

    `is_read`: there was a reading after the begin. `base_wh` is what was delivered before the register began anew. `fallen` are
    the last readings below what was known, while they rise. `other_wh` is the lowest reading that is of another register.
    `is_named`: the station names the transaction in its readings, so that those without a name are of something else.
    `intervals_wh` is the sum of the intervals of one `context`, the last of which ended at `interval_at`. `flowed_wh` is what
    the sampled powers amount to at the least; the last of them was `power_w`, at `power_at`.
    `export_wh` is the register of what flowed out of the car, `is_giving` whether more flowed out than in since it was read.
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

    @property
    def total_wh(self) -> float | None:
        """What the session has received, as far as any reading after its begin says so."""
        return self.energy_wh if self.is_read and not self.is_stuck else self.intervals_wh

    @property
    def is_stuck(self) -> bool:
        """Whether the register has not moved though energy flowed, by the intervals or by the sampled power."""
        return not self.energy_wh and (bool(self.intervals_wh) or self.flowed_wh > SLACK_WH)

    @property
    def last_at(self) -> int | None:
        """When the last reading was taken that `total_wh` is of."""
        return self.read_at if self.is_read and not self.is_stuck else self.interval_at

    @property
    def register_wh(self) -> tuple[float, float] | None:
        """The meter's register at the session's begin and at its last reading, where it counts more than the session."""
        if not self.start_wh or not self.is_read or self.energy_wh is None or self.base_wh:
            return None
        return self.start_wh, round(self.start_wh + self.energy_wh, 3)

    def begun(self, start_wh: float, at: int) -> "SessionMeter":
        """Set the register at the session's begin, in Wh."""
        return msgspec.structs.replace(self, start_wh=start_wh, energy_wh=0, read_at=at)

    def powered(self, power_w: float, at: int) -> "SessionMeter":
        """Take a sample of the power, in W."""
        during_ms = at - (self.power_at or at)
        if during_ms < 0:
            return self
        return msgspec.structs.replace(
            self,
            max_power_w=max(power_w, self.max_power_w or 0) or None,
            flowed_wh=round(self.flowed_wh + min(power_w, self.power_w) * during_ms / 3_600_000, 3),
            power_w=power_w,
            power_at=at,
        )

    def added(self, interval_wh: float, at: int, context: str) -> tuple["SessionMeter", float | None]:
        """Take what flowed in an interval; return the energy at its end, None where a register says it or it is of others."""
        is_of_others = context not in (self.context or context, AT_END)
        is_again = self.interval_at is not None and at <= self.interval_at
        if is_of_others or is_again or not 0 <= interval_wh <= self._most_wh(at - (self.interval_at or self.read_at or 0)):
            return self, None
        total_wh = round((self.intervals_wh or 0) + interval_wh, 3)
        found = msgspec.structs.replace(self, intervals_wh=total_wh, interval_at=at, context=self.context or context)
        return found, total_wh if found.is_stuck or not self.is_read else None

    def exported(self, export_wh: float | None, taken_wh: float) -> "SessionMeter":
        """Take a reading of what flowed out of the car, while `taken_wh` flowed into it."""
        if export_wh is None:
            return self
        given_wh = export_wh - (export_wh if self.export_wh is None else self.export_wh)
        if 0 < given_wh <= ROUNDING_WH and taken_wh <= 0:
            return self  # too little to tell yet
        return msgspec.structs.replace(self, export_wh=export_wh, is_giving=given_wh > max(taken_wh, ROUNDING_WH))

    def read(
        self, candidates: list[float], at: int, *, is_named: bool = False, may_count_from_begin: bool = True
    ) -> tuple["SessionMeter", float | None]:
        """Take a reading: the first of the values that continues the session; return the energy at `at`, None where none does.

        `is_named`: the reading names the transaction; where one did, those that do not are left out. `may_count_from_begin`: a
        register below the begin's may count from the begin; one of a phase or two is rather a part of the sum.
        """
        if self.start_wh is None or self.energy_wh is None or (self.is_named and not is_named):
            return self, None
        known = msgspec.structs.replace(self, is_named=True) if is_named and candidates else self
        if self.other_wh is not None:
            candidates = [value for value in candidates if value < self.other_wh]
        is_late, allowed_wh = at < (self.read_at or at), self._allowed_wh(at)
        for register_wh in candidates:
            for start_wh in (self.start_wh, 0.0):
                if start_wh != self.start_wh and not (may_count_from_begin and 0 < register_wh < self.start_wh):
                    continue
                growth_wh = round(self.base_wh + register_wh - start_wh - self.energy_wh, 3)
                if is_late and -self.energy_wh <= growth_wh <= 0:
                    return known, round(self.energy_wh + growth_wh, 3)
                if not is_late and -ROUNDING_WH <= growth_wh <= allowed_wh:
                    energy_wh = round(self.energy_wh + max(growth_wh, 0), 3)
                    if not energy_wh and self.is_stuck:
                        return known, None  # a register that does not move stands for none
                    found = msgspec.structs.replace(known, energy_wh=energy_wh, read_at=at, is_read=True, fallen=())
                    return found, energy_wh
        return (known, None) if is_late or not candidates else known.leaving_out(candidates[0], at, is_named=is_named)

    def _allowed_wh(self, at: int) -> float:
        """Return how much may have been delivered since the last reading, in Wh."""
        return self._most_wh(at - (self.read_at or at))

    def _most_wh(self, during_ms: int) -> float:
        limit_w = MAX_POWER_W if self.max_power_w is None else max(POWER_MARGIN * self.max_power_w, MIN_POWER_W)
        return limit_w * max(during_ms, 0) / 3_600_000 + SLACK_WH

    def leaving_out(self, register_wh: float, at: int, *, is_named: bool) -> tuple["SessionMeter", float | None]:
        """Note a reading that does not continue the session; where readings below what is known rise, it has begun anew."""
        growth_wh = self.base_wh + register_wh - (self.start_wh or 0) - (self.energy_wh or 0)
        if growth_wh > OTHER_FACTOR * self._allowed_wh(at):
            if is_named and not self.energy_wh and self.start_wh == 0:
                return self.begun(register_wh, at), 0  # all zeros were placeholders: the session is counted from here on
            return msgspec.structs.replace(self, other_wh=register_wh), None
        if growth_wh > 0:
            return self, None
        fallen = (*self.fallen, register_wh) if self.fallen and register_wh > self.fallen[-1] else (register_wh,)
        if len(fallen) < RESET_AFTER:
            return msgspec.structs.replace(self, fallen=fallen), None
        # Began at 0, its first reading is energy, too: as far as the sampled power can have delivered that meanwhile.
        is_from_zero = fallen[0] <= (self.max_power_w or 0) * (at - (self.read_at or at)) / 3_600_000
        start_wh = 0.0 if is_from_zero else fallen[0]
        begun = msgspec.structs.replace(self, start_wh=start_wh, base_wh=self.energy_wh or 0, fallen=())
        return begun.read([register_wh], at, is_named=is_named)
