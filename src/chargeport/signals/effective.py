"""Which of the series of a signal counts."""

from typing import Final

DERIVED: Final = "derived"
"""The source of what we work out ourselves: the last in rank, and no report."""
