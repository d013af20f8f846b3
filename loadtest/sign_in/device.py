"""At a reference server no identity provider is needed: a player is the device that they say they have."""

from collections.abc import Sequence

from loadtest.sign_in.bridge import Credential


class Device:
    """Device ids are made of the players' names, which are long enough for that."""

    async def prepare(self, names: Sequence[str]) -> None:
        """There is nothing to prepare."""

    async def credential(self, name: str) -> Credential:
        return Credential("device", {"id": f"lockgate-{name}"})
