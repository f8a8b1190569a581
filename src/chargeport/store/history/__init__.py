"""Runs, the effect of late entries on them, and the folding into hours: functions of plain records, for every backend."""
