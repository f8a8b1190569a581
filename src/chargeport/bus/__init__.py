"""The doorbell: tells that something was stored, carries no data. Who hears it reads the store."""
