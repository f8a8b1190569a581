"""An event loop that ends its connections before it closes.

A transport that outlives its loop is reported by the garbage collector as an error of whatever test runs then, minutes later:
a peer that has hung up, or did not take all that it was sent, is not noticed any more once a test is over.
"""

import asyncio


class TidyLoop(asyncio.SelectorEventLoop):
    """The loop of asyncio on Unix, which ends what is open when it is closed."""

    def close(self) -> None:
        transports = list(self._transports.values())  # type: ignore[attr-defined]
        for transport in transports:
            transport.abort()
        if transports and not self.is_closed():
            self.run_until_complete(asyncio.sleep(0))
        super().close()


class TidyPolicy(asyncio.DefaultEventLoopPolicy):
    """Makes loops of this kind."""

    def new_event_loop(self) -> asyncio.AbstractEventLoop:
        return TidyLoop()
