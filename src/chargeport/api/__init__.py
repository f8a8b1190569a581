"""The API: Smartcar's JSON, made from stored records. A route knows no source."""
