"""The one way in: deliveries, items and files become readings, absences and issues, and are stored."""
