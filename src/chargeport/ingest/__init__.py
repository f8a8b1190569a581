"""The pipeline: from deliveries, items and files to stored readings, absences and issues."""
