"""No cell of a table that we write is a formula, and every text comes back as it was."""

import io

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chargeport.ingest import export_forms, files
from chargeport.ingest.cells import escape_formula, unescape_formula
from chargeport.ingest.items import FileItem
from chargeport.signals.catalogue import BY_CODE
from chargeport.store.records import Sighting

FORMULAS = ["=HYPERLINK(1)", "+1", "-1", "@SUM(A1)", "\t=1", "'=1"]


@given(st.text(alphabet=st.sampled_from("'=+-@\t\ra1 "), max_size=6))
def test_every_text_comes_back_as_it_was(text: str) -> None:
    assert unescape_formula(escape_formula(text)) == text
    assert not escape_formula(text).startswith(("=", "+", "-", "@", "\t", "\r"))


@pytest.mark.parametrize("text", FORMULAS)
def test_an_export_has_no_formula_and_is_imported_as_it_was(text: str) -> None:
    seen = Sighting(
        vehicle_id="car", signal=BY_CODE["charge-detailedchargingstatus"], value=text, absence=None,
        observed_at=1_777_629_598_000, received_at=None, source=text,
    )  # fmt: skip
    output = io.BytesIO()
    with export_forms.opened("csv", output) as sink:
        sink([seen])
    written = output.getvalue().decode()
    assert f',"{text}' not in written
    assert f",{text}" not in written
    (row,) = files.read(io.BytesIO(output.getvalue()))
    assert isinstance(row.item, FileItem)
    assert row.item.source == text
    assert msgspec.json.decode(row.item.raw_body) == {"value": text}
