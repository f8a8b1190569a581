"""The entries of a message, and the entries that follow from them for other signals.

A disconnected cable ends charging, the end of charging ends live values, and any message of a source that reports changes
confirms its earlier values.
"""

from typing import Final

from chargeport.derive.status import UNPLUGGED, is_charging
from chargeport.dialects.table import Dialect
from chargeport.ingest.memory import HELD_MS, CarMemory, LastReport
from chargeport.ingest.times import UNSURE_MS
from chargeport.signals.catalogue import BY_CODE, CABLE_CONNECTED, CATALOGUE, IS_CHARGING
from chargeport.signals.definition import FLAG, LIVE, PLUGGED, Signal, Value
from chargeport.signals.flags import LAG_MS
from chargeport.signals.freshness import Freshness
from chargeport.signals.reading import Absence, AbsenceReason, Entry, Reading
from chargeport.sources.base import RawMessage

_CONFIRMED_PARTS: Final = 8  # of the time for which a value holds: it is confirmed once one of these parts is over
_LIVE_SIGNALS: Final = tuple(signal for signal in CATALOGUE if signal.cadence is LIVE)
_PLUGGED_SIGNALS: Final = tuple(signal for signal in CATALOGUE if signal.cadence is PLUGGED)
_STATUS: Final = BY_CODE["charge-detailedchargingstatus"]
_ENERGY: Final = BY_CODE["charge-energyadded"]
_PLACE: Final = BY_CODE["location-preciselocation"]
_CONFIRM_PLACE_MS: Final = 5 * 60_000  # a session takes a place that was reported or confirmed shortly before its plug-in
_NEEDS_A_CABLE: Final = frozenset(
    {"CONNECTED", "STARTING", "CHARGING", "CONSERVING", "SCHEDULED", "SUSPENDED_BY_CAR", "SUSPENDED_BY_STATION", "NO_POWER",
     "DISCHARGING"}
)  # fmt: skip


class EntryBuilder:
    """Builds the entries of one message; `memory` are the last reports of the source about the car."""

    def __init__(self, message: RawMessage, dialect: Dialect, memory: CarMemory, freshness: Freshness) -> None:
        self.entries: list[Entry] = []
        self._reported: dict[int, bool] = {}  # the signals that have an entry, by key: whether one is a value
        self.at = message.received_at
        self.is_stamped = False  # whether `at` is the source's own time
        self.is_ahead = False  # whether the source has one, but ahead of our clock
        self._message = message
        self._dialect = dialect
        self._memory = memory
        self._freshness = freshness
        self._has_ended = False  # whether charging ended by this message
        self._has_begun = False  # or began
        self._has_been_plugged_in = False

    def has_reading(self, signal: Signal) -> bool:
        """Return whether the signal has a value by this message."""
        return self._reported.get(signal.key, False)

    def has_entry(self, signal: Signal) -> bool:
        """Return whether the signal has a value or an absence by this message."""
        return signal.key in self._reported

    def add_reading(self, signal: Signal, value: Value, field: str, at: int | None = None) -> None:
        """Add a value from this field ("": it follows from another signal); `at` is its instant if not the message's."""
        at = self._entry_at(signal, value) if at is None else at
        message, memory, dialect = self._message, self._memory, self._dialect
        if signal is IS_CHARGING and (before := memory.charging.at(at)) is not value:
            self._has_ended, self._has_begun = before is True, value is True
            memory.forget(dialect.ends_with_charge, at - HELD_MS if value else at)
            memory.charging.add(at, bool(value))
        if (signal is CABLE_CONNECTED or (signal is IS_CHARGING and value)) and (was := memory.plugged.at(at)) is not value:
            self._has_been_plugged_in = was is False and value is True and at - memory.plugged.since(at) >= LAG_MS
            memory.forget(dialect.ends_with_plug, at - HELD_MS if value else at)
            memory.plugged.add(at, bool(value))
        memory.set_last_report(signal, LastReport(at, value, field, self.is_ahead))
        self._reported[signal.key] = True
        self.entries.append(Reading(message.vehicle, signal, value, at, message.received_at, message.source))

    def add_absence(self, signal: Signal, reason: AbsenceReason) -> None:
        """Add an absence."""
        at = self._entry_at(signal, None)
        self._memory.set_last_report(signal, LastReport(at, None, "", self.is_ahead))
        self._reported.setdefault(signal.key, False)
        self.entries.append(Absence(self._message.vehicle, signal, reason, at, self._message.received_at, self._message.source))

    def _entry_at(self, signal: Signal, value: Value | None) -> int:
        """Return the instant of an entry: the message's, but after a different value of the same instant."""
        last, at = self._memory.last_report(signal), self.at
        if last is None:
            return at
        if not self.is_stamped and self._memory.is_in_burst(at, last.at):
            at = last.at
        if last.is_ahead and at < last.at <= at + UNSURE_MS:
            at = last.at  # its true instant is not known: the later report is the newer one
        replaces = value != last.value and (value is None or not self.is_stamped or last.is_ahead)
        at += at == last.at and replaces
        if not self.is_stamped:
            self._memory.lengthen_burst(at)
        return at

    def add_unplugged(self, signal: Signal) -> None:
        """Add the value of a signal while no cable is connected."""
        if signal.kind is FLAG:
            self.add_reading(signal, False, "")
        else:
            self.add_absence(signal, AbsenceReason.NOT_CHARGING)

    def add_plug_effects(self) -> None:
        """Add what follows from a disconnected cable: the car does not charge, and values of the plug end."""
        if not self.has_entry(CABLE_CONNECTED) or not any(
            entry.signal is CABLE_CONNECTED and isinstance(entry, Reading) and not entry.value for entry in self.entries
        ):
            return
        if not self.has_entry(IS_CHARGING):
            if self._memory.charging.at(self.at):
                self.add_reading(IS_CHARGING, False, "")
            self._has_ended = True  # also for a source that never reports whether the car charges
        status = self._other_report(_STATUS)
        if status is not None and status.value in _NEEDS_A_CABLE:
            self.add_reading(_STATUS, "DISCONNECTED", "")
        for signal in _PLUGGED_SIGNALS:
            last = self._other_report(signal)
            if last is not None and last.value and last.at <= self.at:
                self.add_unplugged(signal)

    def add_status_effects(self) -> None:
        """Add what follows from the status: it and the flag of charging are two fields for one fact, and the newer decides.

        A status that follows from other fields does not count.
        """
        status, last = self._memory.last_report(_STATUS), self._memory.last_report(IS_CHARGING)
        is_reported = self.has_reading(_STATUS) and status is not None and status.field in self._message.fields
        if not is_reported or last is None or last.value is None or last.at >= self.at or self.has_entry(IS_CHARGING):
            return
        charges = is_charging(str(status.value), None) if status is not None else None
        if charges is not None and charges is not last.value:
            self.add_reading(IS_CHARGING, charges, "")

    def add_charge_effects(self) -> None:
        """Add what follows from the begin of charging, which needs a cable, and from its end, which ends live values."""
        plug = self._other_report(CABLE_CONNECTED)
        if self._has_begun and plug is not None and plug.value is False:
            self.add_reading(CABLE_CONNECTED, True, "")
        self._add_status()
        energy = self._memory.last_report(_ENERGY)
        is_of_before = energy is not None and energy.value and energy.at < self.at - HELD_MS and not self.has_entry(_ENERGY)
        if self._has_been_plugged_in and is_of_before:
            self.add_absence(_ENERGY, AbsenceReason.NOT_CHARGING)
        if not self._has_ended:
            return
        for signal in _LIVE_SIGNALS:
            last = self._other_report(signal)
            if signal is not IS_CHARGING and last is not None and last.value and last.at <= self.at:
                self.add_absence(signal, AbsenceReason.NOT_CHARGING)

    def _add_status(self) -> None:
        """Add the status that follows from the flag of charging or the cable, where the earlier one contradicts it."""
        status = self._memory.last_report(_STATUS)
        if status is None or not isinstance(status.value, str) or status.at >= self.at or self.has_entry(_STATUS):
            return
        flags = {entry.signal.key: entry.value for entry in self.entries if isinstance(entry, Reading)}
        charges = flags.get(IS_CHARGING.key)
        charged = is_charging(status.value, None)
        if charges is not None and charged is not None and charged is not charges:
            self.add_reading(_STATUS, "CHARGING" if charges else "NOT_CHARGING", "")
        elif flags.get(CABLE_CONNECTED.key) and status.value in UNPLUGGED:
            self.add_reading(_STATUS, "CONNECTED", "")

    def confirm(self) -> None:
        """Add earlier values again: a source that reports changes has sent a message, and would have reported a change of them.

        Stale values are not confirmed, nor values from before a restart: a change may have been missed.
        """
        if not self._dialect.topics or self._message.retained:
            return
        charges = self._charges()
        for signal in _LIVE_SIGNALS:
            last = self._other_report(signal)
            if last is None or last.value is None or not last.field:
                continue
            is_over = charges is False and last.value and signal is not IS_CHARGING
            live_for_ms = self._freshness.of(self._message.source, signal)
            if not is_over and live_for_ms // _CONFIRMED_PARTS <= self.at - last.at < live_for_ms:
                self.add_reading(signal, last.value, last.field)
        place = self._other_report(_PLACE)
        if place is not None and place.value and place.field and self.at - place.at >= _CONFIRM_PLACE_MS:
            self.add_reading(_PLACE, place.value, place.field)

    def _other_report(self, signal: Signal) -> LastReport | None:
        """Return the last report of a signal that has no entry by this message; None for any other."""
        return None if signal.key in self._reported else self._memory.last_report(signal)

    def _charges(self) -> bool | None:
        """Return whether the source reports that the car charges, directly or by the status; None where it does neither."""
        status = self._memory.last_report(_STATUS)
        charges = self._memory.charging.at(self.at)
        if charges is not None or status is None or not isinstance(status.value, str):
            return charges
        return is_charging(status.value, None)
