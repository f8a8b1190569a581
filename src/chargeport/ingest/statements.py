"""What a message states of a car's signals, each at its instant, and what follows from that for other signals.

A cable that is out ends the charge, the end of a charge ends what flowed, and a source that tells fields as they change
confirms what it would have taken back.
"""

from typing import Final

from chargeport.derive.status import is_charging
from chargeport.dialects.table import Dialect
from chargeport.ingest.memory import HELD_MS, CarMemory, Said
from chargeport.ingest.times import UNSURE_MS
from chargeport.signals.catalogue import BY_CODE, CABLE_CONNECTED, CATALOGUE, IS_CHARGING
from chargeport.signals.definition import Cadence, Kind, Signal, Value
from chargeport.signals.freshness import Freshness
from chargeport.signals.reading import Absence, AbsenceReason, Entry, Reading
from chargeport.sources.base import RawMessage

_CONFIRMED_PARTS: Final = 8  # of the time for which a value stands: after one of them it is confirmed
_LIVE: Final = tuple(signal for signal in CATALOGUE if signal.cadence is Cadence.LIVE)
_PLUGGED: Final = tuple(signal for signal in CATALOGUE if signal.cadence is Cadence.PLUGGED)
_STATUS: Final = BY_CODE["charge-detailedchargingstatus"]
_PLACE: Final = BY_CODE["location-preciselocation"]
_PLACE_AGAIN_MS: Final = 5 * 60_000  # sessions take a place that was told or confirmed shortly before the cable was plugged in
_NEEDS_A_CABLE: Final = frozenset(
    {"CONNECTED", "STARTING", "CHARGING", "CONSERVING", "SCHEDULED", "SUSPENDED_BY_CAR", "SUSPENDED_BY_STATION", "NO_POWER",
     "DISCHARGING"}
)  # fmt: skip


class Statements:
    """The entries of one message, made one after the other; `memory` is what the source said of the car before."""

    def __init__(self, message: RawMessage, dialect: Dialect, memory: CarMemory, freshness: Freshness) -> None:
        self.entries: list[Entry] = []
        self.at = message.received_at
        self.is_stamped = False  # whether `at` is the source's own time
        self.is_ahead = False  # whether the source has one, but ahead of our clock
        self._message = message
        self._dialect = dialect
        self._memory = memory
        self._freshness = freshness
        self._has_ended = False  # whether the car has stopped charging by this message
        self._has_begun = False  # or begun to

    @property
    def signals(self) -> set[Signal]:
        """The signals that have an entry."""
        return {entry.signal for entry in self.entries}

    def reading(self, signal: Signal, value: Value, field: str, at: int | None = None) -> None:
        """Enter a value that this field told (none: it follows); `at` is its instant where that is not the message's."""
        at = self._entry_at(signal, value) if at is None else at
        message, memory, dialect = self._message, self._memory, self._dialect
        if signal is IS_CHARGING and (before := memory.charging.at(at)) is not value:
            self._has_ended, self._has_begun = before is True, value is True
            memory.forget(dialect.of_a_charge, at - HELD_MS if value else at)
            memory.charging.note(at, bool(value))
        if (signal is CABLE_CONNECTED or (signal is IS_CHARGING and value)) and memory.plugged.at(at) is not value:
            memory.forget(dialect.of_a_plug, at - HELD_MS if value else at)
            memory.plugged.note(at, bool(value))
        memory.say(signal, Said(at, value, field, self.is_ahead))
        self.entries.append(Reading(message.vehicle, signal, value, at, message.received_at, message.source))

    def absent(self, signal: Signal, reason: AbsenceReason) -> None:
        """Enter that there is no value."""
        at = self._entry_at(signal, None)
        self._memory.say(signal, Said(at, None, "", self.is_ahead))
        self.entries.append(Absence(self._message.vehicle, signal, reason, at, self._message.received_at, self._message.source))

    def _entry_at(self, signal: Signal, value: Value | None) -> int:
        """Return when an entry counts: at the message's time, but after what it replaces of the same instant."""
        said, at = self._memory.said(signal), self.at
        if said is None:
            return at
        if not self.is_stamped and self._memory.is_in_burst(at, said.at):
            at = said.at
        if said.is_ahead and at < said.at <= at + UNSURE_MS:
            at = said.at  # its true time is not known: what comes after it is newer
        replaces = value != said.value and (value is None or not self.is_stamped or said.is_ahead)
        at += at == said.at and replaces
        if not self.is_stamped:
            self._memory.lengthen_burst(at)
        return at

    def unplugged(self, signal: Signal) -> None:
        """Enter what a signal is while no cable is in."""
        if signal.kind is Kind.FLAG:
            self.reading(signal, False, "")
        else:
            self.absent(signal, AbsenceReason.NOT_CHARGING)

    def follow_the_plug(self) -> None:
        """Enter what follows from the cable being out: nothing charges, and what holds only while plugged in is over."""
        if not any(
            entry.signal is CABLE_CONNECTED and isinstance(entry, Reading) and not entry.value for entry in self.entries
        ):
            return
        own = self.signals
        if IS_CHARGING not in own:
            if self._memory.charging.at(self.at):
                self.reading(IS_CHARGING, False, "")
            self._has_ended = True  # also for a source that never says whether the car charges
        status = self._memory.said(_STATUS)
        if status is not None and status.value in _NEEDS_A_CABLE and _STATUS not in own:
            self.reading(_STATUS, "DISCONNECTED", "")
        for signal in _PLUGGED:
            said = self._memory.said(signal)
            if signal not in own and said is not None and said.value and said.at <= self.at:
                self.unplugged(signal)

    def follow_the_charge(self) -> None:
        """Enter what follows from the begin of a charge, which needs a cable, and from its end.

        What flowed flows no more, and does not come back with the next one.
        """
        plug = self._memory.said(CABLE_CONNECTED)
        if self._has_begun and CABLE_CONNECTED not in self.signals and plug is not None and plug.value is False:
            self.reading(CABLE_CONNECTED, True, "")
        if not self._has_ended:
            return
        own = self.signals
        for signal in _LIVE:
            said = self._memory.said(signal)
            if signal is not IS_CHARGING and signal not in own and said is not None and said.value and said.at <= self.at:
                self.absent(signal, AbsenceReason.NOT_CHARGING)

    def confirm(self) -> None:
        """Enter again what was said before: a source that tells fields as they change is alive, and would have taken it back.

        What has gone stale is not confirmed, nor what is only known from before a restart: a change may have been missed.
        """
        if not self._dialect.topics or self._message.retained:
            return
        own, charges = self.signals, self._charges()
        for signal in _LIVE:
            said = self._memory.said(signal)
            if said is None or said.value is None or not said.field or signal in own:
                continue
            is_over = charges is False and said.value and signal is not IS_CHARGING
            live_for_ms = self._freshness.of(self._message.source, signal)
            if not is_over and live_for_ms // _CONFIRMED_PARTS <= self.at - said.at < live_for_ms:
                self.reading(signal, said.value, said.field)
        place = self._memory.said(_PLACE)
        if place is not None and place.value and place.field and _PLACE not in own and self.at - place.at >= _PLACE_AGAIN_MS:
            self.reading(_PLACE, place.value, place.field)

    def _charges(self) -> bool | None:
        """Return whether the source says that the car charges: outright, else by the status; None where it does not say."""
        status = self._memory.said(_STATUS)
        charges = self._memory.charging.at(self.at)
        if charges is not None or status is None or not isinstance(status.value, str):
            return charges
        return is_charging(status.value, None)
