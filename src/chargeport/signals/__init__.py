"""The vocabulary: 21 charge signals and their companions, as data, and which state is effective. Imports nothing of ours."""
