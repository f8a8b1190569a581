"""What a release is made of and checked by: `make release`. See docs/security.md, "Supply chain"."""
