"""Start and stop MQTT out. Loaded if `[mqtt_out] url` is set."""

from collections.abc import Awaitable, Callable

from chargeport.clock import Clock
from chargeport.errors import SettingError
from chargeport.mqtt_out.client import Broker
from chargeport.mqtt_out.discovery import status_topic
from chargeport.mqtt_out.publisher import Publisher
from chargeport.settings import MqttOutSettings
from chargeport.sources.base import SourceError
from chargeport.sources.mqtt.settings import MqttSettings
from chargeport.store.protocols import Store


class MqttOut:
    """The broker and the publisher."""

    def __init__(self, store: Store, clock: Clock, settings: MqttOutSettings, wait: Callable[[float], Awaitable[bool]]) -> None:
        """Connect. Raises SettingError."""
        try:
            broker = MqttSettings(
                url=settings.url or "", username=settings.username, password=settings.password, ca_file=settings.ca_file
            )
            self._broker = Broker(broker, f"{settings.prefix}-out", status_topic(settings.prefix))
            self._broker.start()
        except (ValueError, SourceError) as error:
            raise SettingError(f"A setting is wrong: mqtt_out: {str(error).rstrip('.')}.") from error
        self._publisher = Publisher(store, clock, settings, self._broker, wait)
        self._broker.on_connected = self._publisher.republish
        store.readings.on_written(self._publisher.note_written)

    async def run(self) -> None:
        """Publish until cancelled."""
        await self._publisher.run()

    async def close(self) -> None:
        """Disconnect."""
        await self._broker.close()
