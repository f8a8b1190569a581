"""What a run is, how late entries change runs, how hours are folded: functions of plain records, for every backend."""
