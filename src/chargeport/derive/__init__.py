"""What follows from what is reported: signals that no source gives, and sessions. Pure rules; they import the vocabulary."""
