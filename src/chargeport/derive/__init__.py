"""Derivation from reports: signals that no source reports, and sessions. Pure rules, which import only the vocabulary."""
