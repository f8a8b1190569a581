"""Energy drawn by vehicle and day, from an export of Chargeport: pip install duckdb, then see README.md."""

import sys

import duckdb

# A value holds until the next one of its series; what is absent counts for nothing.
QUERY = """
WITH power AS (
  SELECT
    vehicle,
    source,
    CAST(observedAt AS TIMESTAMP) AS since,
    CASE WHEN absence IS NULL THEN CAST(value AS DOUBLE) ELSE 0 END AS watts,
    lead(CAST(observedAt AS TIMESTAMP)) OVER (PARTITION BY vehicle, source ORDER BY observedAt) AS until
  FROM read_csv(?, all_varchar = true)
  WHERE signal = 'charge-wattage' AND source NOT LIKE 'derived:%'
)
SELECT
  vehicle,
  CAST(since AS DATE) AS day,
  round(sum(watts * epoch(until - since)) / 3.6e6, 2) AS kwh,
  round(max(watts) / 1000, 1) AS most_kw
FROM power
GROUP BY ALL
HAVING kwh > 0
ORDER BY vehicle, day
"""


def main() -> None:
    print(f"{'vehicle':38} {'day':12} {'kWh':>8} {'kW':>6}")
    for vehicle, day, kwh, most_kw in duckdb.execute(QUERY, [sys.argv[1]]).fetchall():
        print(f"{vehicle:38} {day!s:12} {kwh:8.2f} {most_kw:6.1f}")


if __name__ == "__main__":
    main()
