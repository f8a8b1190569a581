"""The API: Smartcar's JSON, made from stored records. Routes do not depend on sources."""
