"""The store on PostgreSQL: any number of processes write and read. Needs asyncpg (the extra `postgres`)."""

from chargeport.store.postgres.store import PostgresStore

__all__ = ["PostgresStore"]
