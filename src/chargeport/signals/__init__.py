"""The vocabulary: 21 charge signals and their companions, as data, and the effective state. It imports no other package."""
