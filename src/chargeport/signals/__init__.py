"""The vocabulary: 21 charge signals and three companions, as data, and which of several states is effective. Imports nothing of ours."""
