"""The vocabulary: 21 charge signals and three companions, as data, and which state is effective. Imports nothing of ours."""
