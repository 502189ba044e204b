"""The systemd unit of the agent, for where it stands now."""

from __future__ import annotations

_UNIT = """\
# The Penstock agent: carries out deployments on this host.
# Put this in /etc/systemd/system/penstock-agent.service, then: systemctl enable --now penstock-agent

[Unit]
Description=Penstock agent
Wants=network-online.target
After=network-online.target
StartLimitIntervalSec=0

[Service]
Type=notify
ExecStart={command}
# A sign of life comes every few seconds, as long as the agent polls.
WatchdogSec=180
Restart=always
RestartSec=1
# Stopping the agent stops neither the scripts that run nor the applications that they started.
KillMode=process
TimeoutStopSec=30
OOMPolicy=continue
UMask=0022

[Install]
WantedBy=multi-user.target
"""


def unit(command: list[str]) -> str:
    """*command*: starts the agent, with absolute paths."""
    return _UNIT.format(command=" ".join(_quoted(word) for word in command))


def _quoted(word: str) -> str:
    """Source: systemd.service(5), "Command lines", and systemd.unit(5), "Specifiers"."""
    word = word.replace("%", "%%").replace("$", "$$")
    if word and not set(word) & set(" \t\"'\\;"):
        return word
    return '"{}"'.format(word.replace("\\", "\\\\").replace('"', '\\"'))
