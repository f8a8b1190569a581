from pathlib import Path
from typing import Any

import msgspec
import pytest
from mqtt_peers import source

from chargeport.sources.base import Cause, SourceError
from chargeport.sources.mqtt.settings import MqttSettings

SECURE = "mqtts://broker"


@pytest.mark.parametrize(
    ("url", "address", "tls"),
    [
        ("mqtt://broker", ("broker", 1883), False),
        ("mqtts://broker", ("broker", 8883), True),
        ("mqtt://10.0.0.1:1884/", ("10.0.0.1", 1884), False),
        ("mqtts://[::1]:9000", ("::1", 9000), True),
    ],
)
def test_a_url_names_host_port_and_whether_tls_is_spoken(url: str, address: tuple[str, int], tls: bool) -> None:
    settings = MqttSettings(url=url)
    assert (settings.address, settings.tls) == (address, tls)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"url": "http://broker"}, "url must be mqtt://"),
        ({"url": "mqtt://"}, "url must be mqtt://"),
        ({"url": "mqtt://broker:99999"}, "url must be mqtt://"),
        ({"url": "mqtt://[broker"}, "url must be mqtt://"),
        ({"url": "mqtt://broker/topic"}, "url must be mqtt://"),
        ({"url": "mqtt://ann:pass@broker"}, "settings of their own"),
        ({"url": "mqtt://broker", "password": "x"}, "username is missing"),
        ({"url": "mqtt://broker", "verify": False}, "need a url that begins with mqtts://"),
        ({"url": "mqtt://broker", "ca_file": "ca.pem"}, "need a url that begins with mqtts://"),
        ({"url": SECURE, "key_file": "key.pem"}, "cert_file is missing"),
        ({"url": SECURE, "max_inflight": 0}, "max_inflight"),
        ({"url": SECURE, "client_id": ""}, "client_id"),
    ],
)
def test_a_wrong_setting_is_told_with_its_name(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=words):
        msgspec.convert(settings, MqttSettings)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"ca_file": "{folder}/none.pem"}, "ca_file .*none.pem holds no certificate: No such file"),
        ({"ca_file": "{folder}/junk.pem"}, "ca_file .*junk.pem holds no certificate: "),
        ({"cert_file": "{folder}/junk.pem"}, "cert_file .*junk.pem and its key in the same file can't be used: "),
        ({"username": "ann", "password": "file:{folder}/none"}, "password: the file .*none can't be read: No such file"),
    ],
)
async def test_a_file_that_is_no_good_is_a_matter_of_configuration(
    settings: dict[str, str], words: str, tmp_path: Path
) -> None:
    (tmp_path / "junk.pem").write_text("junk")
    filled = {name: value.replace("{folder}", str(tmp_path)) for name, value in settings.items()}
    with pytest.raises(SourceError, match=words) as refused:
        await source(SECURE, **filled).check(1)
    assert refused.value.cause is Cause.CONFIGURATION


@pytest.mark.parametrize("topic", ["", "cars/#/soc", "cars/a+", "cars/b#", "zero\0"])
def test_a_topic_filter_that_is_none_is_refused(topic: str) -> None:
    with pytest.raises(SourceError, match="topics: ") as refused:
        source("mqtt://broker", topic)
    assert refused.value.cause is Cause.CONFIGURATION


@pytest.mark.parametrize("topic", ["#", "+", "cars/+/soc", "cars/#", "/", "$share/group/cars/#"])
def test_a_topic_filter_is_taken(topic: str) -> None:
    assert source("mqtt://broker", topic).name == "garage"
