"""What is worked out from what is stored: values that nobody reports, sessions, records."""
