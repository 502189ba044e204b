"""The SSH transport: a connection is one login to one host, with one session of the executor on it."""

from runner.model.target import Host
from runner.platforms.server.connection import Connection
from runner.platforms.server.ssh.login import Login
from runner.platforms.server.ssh.start import start
from runner.platforms.server.ssh.stream import SshConnection


class SshTransport:
    """Implements `Transport`. Keeps nothing between connections."""

    async def connect(self, host: Host) -> Connection:
        login = Login(host)
        await login.open()
        try:
            stream = await start(login.link, host)
        except BaseException:
            await login.close()
            raise
        return SshConnection(stream, login.close)

    async def close(self) -> None:
        """There is nothing that connections share."""
