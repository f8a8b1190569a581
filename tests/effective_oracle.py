"""An oracle of what is effective: the rules as a page of text would give them, worked out of the reports themselves."""

from chargeport.signals.catalogue import BY_CODE, CABLE_CONNECTED, IS_CHARGING
from chargeport.signals.definition import Cadence, Signal, Value
from chargeport.signals.effective import DERIVED, Ranks
from chargeport.signals.state import LIVE_FOR_MS
from chargeport.signals.sweep import Reports

S, MIN = 1000, 60_000
HOME, OFFICE = "home", "office"
"""Two stations; all other sources are on the car's side."""

WATTAGE, LIMITS = BY_CODE["charge-wattage"], BY_CODE["charge-chargelimits"]


class Oracle:
    """What is effective at an instant, by the rules as a page of text would give them."""

    def __init__(self, reports: Reports, ranks: Ranks, now: int) -> None:
        self.now, self.ranks = now, ranks
        self.sent = {
            (key, source): [each for each in every if each.at <= now]
            for key, sources in reports.items()
            for source, every in sources.items()
        }

    def sources(self, signal: Signal) -> list[str]:
        return [source for (key, source), every in self.sent.items() if key == signal.key and every]

    def last(self, signal: Signal, source: str) -> tuple[Value | None, int, int]:
        """The last value, when it was reported last, and since when it was the same."""
        value, seen_at, since = None, -1, -1
        is_gone = True
        for each in self.sent.get((signal.key, source), []):
            if each.value is None:
                is_gone = True
                continue
            since = each.at if is_gone or each.value != value else since
            value, seen_at, is_gone = each.value, each.at, False
        return value, seen_at, since

    def is_given(self, signal: Signal, source: str) -> bool:
        every = self.sent.get((signal.key, source), [])
        return bool(every) and every[-1].value is not None

    def is_fresh(self, signal: Signal, source: str) -> bool:
        at = self.last(signal, source)[1]
        return self.is_given(signal, source) and (signal.cadence is not Cadence.LIVE or self.now < at + LIVE_FOR_MS)

    def taken_back_at(self, flag: Signal, source: str) -> int | None:
        """When what others, or the pulled cable, say takes back a "yes"."""
        said_at = self.last(flag, source)[1]
        if flag is CABLE_CONNECTED and self.is_given(IS_CHARGING, source) and self.last(IS_CHARGING, source)[0]:
            said_at = max(said_at, self.last(IS_CHARGING, source)[1])
        found = []
        for signal in {flag, CABLE_CONNECTED}:
            for other in self.sources(signal):
                value, _, since = self.last(signal, other)
                if value is False and since > said_at and other != DERIVED:
                    if other == source:
                        found.append(since)
                    elif not {other, source} <= {HOME, OFFICE}:
                        found.append(max(since, said_at + 2 * MIN))
        return min((at for at in found if at <= self.now), default=None)

    def flag(self, flag: Signal) -> tuple[bool | None, int, str]:
        """Whether it is so, since when or when it ended, and who derived it."""
        reporting = [each for each in self.sources(flag) if each != DERIVED and self.last(flag, each)[1] >= 0]
        is_on, since = self.either(flag, reporting) if self.ranks.is_either(flag) else self.ranked(flag, reporting)
        is_told = any(self.last(flag, each)[0] is False and self.is_fresh(flag, each) for each in reporting)
        newest = max((self.last(flag, each)[1] for each in reporting), default=-1)
        value, at, began_at = self.last(flag, DERIVED)
        if (
            not is_on
            and not is_told
            and at > newest
            and (self.is_fresh(flag, DERIVED) if value else self.is_given(flag, DERIVED))
        ):
            return bool(value), began_at, DERIVED
        return is_on, since, ""

    def either(self, flag: Signal, reporting: list[str]) -> tuple[bool | None, int]:
        """The flag where one source that says so is enough."""
        yes, no, silent = [], [], []
        for source in reporting:
            value, at, since = self.last(flag, source)
            if value is False:
                no.append(since)
            elif (taken_back_at := self.taken_back_at(flag, source)) is not None:
                no.append(taken_back_at)
            elif self.is_fresh(flag, source):
                yes.append(since)
            elif self.is_given(flag, source):
                silent.append(at + LIVE_FOR_MS)
        if yes:
            return True, min(yes)
        return (False, max(no + silent)) if no else (None, 0)

    def ranked(self, flag: Signal, reporting: list[str]) -> tuple[bool | None, int]:
        """The flag of the preferred source, where the settings name an order."""
        if not reporting:
            return None, 0
        fresh = [each for each in reporting if self.is_fresh(flag, each)]
        value, _, since = self.last(flag, self.preferred(flag, fresh or reporting))
        return (None, 0) if value and not fresh else (bool(value), since)

    def preferred(self, signal: Signal, sources: list[str]) -> str:
        """The best in rank of those that were reported lately, beside the newest of them."""
        newest = max(self.last(signal, source)[1] for source in sources)
        within = 24 * 60 * MIN if signal in {LIMITS, CABLE_CONNECTED} else LIVE_FOR_MS
        near = [each for each in sources if newest - self.last(signal, each)[1] < within]
        return min(near, key=lambda each: (self.ranks.rank(signal, each), -self.last(signal, each)[1], each))

    def is_out(self) -> bool:
        """Whether the cable is out, and whoever says so has not become unable to tell."""
        is_in, _, teller = self.flag(CABLE_CONNECTED)
        tellers = [teller] if teller else [each for each in self.sources(CABLE_CONNECTED) if each != DERIVED]
        if not self.ranks.is_either(CABLE_CONNECTED) and not teller and tellers:
            fresh = [each for each in tellers if self.is_fresh(CABLE_CONNECTED, each)]
            tellers = (
                [
                    self.preferred(
                        CABLE_CONNECTED, fresh or [each for each in tellers if self.last(CABLE_CONNECTED, each)[1] >= 0]
                    )
                ]
                if is_in is not None
                else []
            )
        return is_in is False and any(
            self.last(CABLE_CONNECTED, each)[0] is False and self.is_given(CABLE_CONNECTED, each) for each in tellers
        )

    def verdict(self, signal: Signal, source: str) -> str:
        """What is to be said of one source's value by itself: ok, or what is against it."""
        if not self.is_given(signal, source):
            return "absent"
        value, at, _ = self.last(signal, source)
        charges = self.flag(IS_CHARGING)[0]
        is_pulled = not charges and self.is_out()
        if is_pulled and not value and signal in {IS_CHARGING, WATTAGE}:
            return "ok"
        if signal in {IS_CHARGING, CABLE_CONNECTED}:
            is_taken_back = value is True and self.ranks.is_either(signal) and self.taken_back_at(signal, source) is not None
            return "over" if is_taken_back else "ok" if self.is_fresh(signal, source) else "silent"
        if signal.cadence is not Cadence.LASTING and value is not False:
            tie = IS_CHARGING if signal.cadence is Cadence.LIVE else CABLE_CONNECTED
            charges, since, teller = self.flag(tie)
            own, _, own_since = self.last(tie, source) if source != DERIVED else (None, 0, -1)
            if charges is False and at < (own_since if own is False else since):
                return "over"
            is_own = own is not None and teller != DERIVED
            grace = 0 if not value else 10 * S if is_own else 2 * MIN
            is_in, _, in_since = self.last(CABLE_CONNECTED, source)
            is_of_plug = tie is IS_CHARGING and is_in is True and source != DERIVED
            begins_at = max(max(since, own_since) - grace, in_since - 2 * MIN if is_of_plug else 0)
            if charges and (own is False or at < begins_at):
                return "over"
        return "ok" if self.is_fresh(signal, source) else "silent"

    def shown(self, signal: Signal) -> Value | None:
        """The value that is shown; None where none may be."""
        source = self.source(signal)
        return None if source is None else self.last(signal, source)[0]

    def source(self, signal: Signal) -> str | None:
        """The source whose value is shown."""
        verdicts = {source: self.verdict(signal, source) for source in self.sources(signal)}
        good = [source for source, verdict in verdicts.items() if verdict == "ok"]
        if signal in {IS_CHARGING, CABLE_CONNECTED} and self.ranks.is_either(signal):
            is_on = self.flag(signal)[0]
            good = [source for source in good if self.last(signal, source)[0] is is_on]
            reported_at = max((self.last(signal, each)[1] for each in verdicts if each != DERIVED), default=-1)
            reported = [source for source in good if source != DERIVED]
            if not reported and self.last(signal, DERIVED)[1] <= reported_at:
                return None
            return min(reported or good, key=lambda each: (-self.last(signal, each)[1], each), default=None)
        reporting = [source for source in good if source != DERIVED]
        if not reporting:
            return DERIVED if DERIVED in good else None
        return self.preferred(signal, reporting)
