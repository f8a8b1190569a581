"""The vocabulary: 21 charge signals and three companions, as data. Imports nothing else of Chargeport."""
