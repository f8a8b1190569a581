"""Parquet files, written in groups of rows so that memory holds one group."""

import importlib
from collections.abc import Iterable, Mapping
from typing import Any, BinaryIO

from chargeport.errors import ChargeportError
from chargeport.installation import add_extra

TEXT, NUMBER, INTEGER, FLAG = "string", "double", "int64", "bool"
INSTANT, NAME = "instant", "name"
"""The types of columns, the first four by pyarrow's names.

INSTANT: milliseconds since the epoch, in UTC. NAME: a text with few distinct values, stored as a dictionary.
"""


class ParquetFile:
    """A Parquet file of rows, each a tuple in the order of the columns."""

    def __init__(self, output: BinaryIO, columns: Mapping[str, str], group: int) -> None:
        """Begin a file. `columns`: the type of each. `group`: rows of a row group.

        Small groups compress badly, large ones need memory. Raises ChargeportError where the package for Parquet is missing.
        """
        try:
            self._arrow: Any = importlib.import_module("pyarrow")
            parquet: Any = importlib.import_module("pyarrow.parquet")
        except ImportError:
            raise ChargeportError(f"Parquet needs one more package: {add_extra('parquet')}.") from None
        self._group = group
        self._schema: Any = self._arrow.schema([(name, self._type(kind)) for name, kind in columns.items()])
        self._writer: Any = parquet.ParquetWriter(output, self._schema, compression="zstd")
        self._rows: list[tuple[Any, ...]] = []

    def _type(self, kind: str) -> Any:
        arrow = self._arrow
        if kind == INSTANT:
            return arrow.timestamp("ms", tz="UTC")
        if kind == NAME:
            return arrow.dictionary(arrow.int32(), arrow.string())
        return arrow.type_for_alias(kind)

    def add(self, rows: Iterable[tuple[Any, ...]]) -> None:
        """Add rows; write them once they are a group."""
        self._rows += rows
        if len(self._rows) >= self._group:
            self._write()

    def close(self) -> None:
        """Write the last group and the end of the file."""
        self._write()
        self._writer.close()

    def _write(self) -> None:
        if self._rows:
            columns = [
                self._arrow.array(column, type=field.type)
                for column, field in zip(zip(*self._rows, strict=True), self._schema, strict=True)
            ]
            self._writer.write_table(self._arrow.table(columns, schema=self._schema))
            self._rows = []
