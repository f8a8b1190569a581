"""For how long a value stands when its source falls silent: learnt cadence, and expiry."""
