"""How long a value is fresh after its last report: learnt cadence, and expiry."""
