"""The page's words: every sentence has a German form, and no German form is without its sentence."""

import json
import re

from chargeport.dashboard.page import MODULES, PAGE
from chargeport.signals.catalogue import CATALOGUE
from chargeport.signals.effective import Why
from chargeport.signals.reading import AbsenceReason
from chargeport.store.audit import Act
from chargeport.wire.status import ERROR_STATUSES

TEXT = r'"((?:[^"\\]|\\.)*)"'


def german() -> dict[str, str]:
    pairs = re.findall(rf"^  {TEXT}: {TEXT},$", MODULES["de"], re.MULTILINE)
    return {json.loads(f'"{key}"'): json.loads(f'"{value}"') for key, value in pairs}


def spoken() -> set[str]:
    """Every sentence that the modules and the shell say."""
    code = "\n".join(text for name, text in MODULES.items() if name not in ("de", "uplot"))
    found = set(re.findall(rf"\bt\({TEXT}", code)) | set(re.findall(r'data-t(?:-label)?="([^"]*)"', PAGE))
    return found | {
        name for pair in re.findall(r'\["(?:-?\w+)", "([A-Z][\w ,]+)"\]', code) for name in [pair] if name.isascii()
    }


def test_every_sentence_has_a_german_form_with_the_same_places_for_values() -> None:
    words = german()
    left_alone = {"Deutsch", "English", "AC", "DC", "Parquet"}
    missing = sorted(each for each in spoken() - left_alone if each not in words)
    assert not missing, missing
    places = {key: sorted(re.findall(r"{\w+}", key)) for key in words}
    wrong = [key for key, value in words.items() if sorted(re.findall(r"{\w+}", value)) != places[key]]
    assert not wrong, wrong


def test_what_the_server_says_of_a_value_has_one_too() -> None:
    words = german()
    sent = {each.sentence for each in Why} | {ERROR_STATUSES[each].detail for each in AbsenceReason if each in ERROR_STATUSES}
    assert sorted(sent - set(words)) == []


def test_every_signal_has_a_name_in_german() -> None:
    words = german()
    named = {re.sub(r"([a-z])([A-Z])", r"\1 \2", re.sub(r"^Is(?=[A-Z])", "", each.name)) for each in CATALOGUE}
    plain = {each if each.isupper() else each.capitalize() for each in named}
    assert sorted(plain - set(words)) == []


def test_every_act_of_the_audit_log_has_a_name_in_both_languages() -> None:
    words = german()
    named = dict(re.findall(r'\["([\w.]+)", "([A-Z][\w ]+)"\]', MODULES["audit"]))
    assert sorted(set(Act) - set(named)) == []
    assert sorted(set(named.values()) - set(words)) == []
