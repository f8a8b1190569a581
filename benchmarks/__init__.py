"""What is claimed about speed, measured: every figure is a ratio within one run."""
