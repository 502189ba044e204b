"""Signs specifications, each once, and keeps the latest: every agent asks seven times a deployment."""

import asyncio
import json
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, Generic, TypeVar

from runner.model.command import Job
from runner.model.executor import ExecutorSettings
from runner.model.target import Host
from runner.platforms.agents.signing import SigningKey
from runner.platforms.agents.specification import content, content_for_ours, to_text
from runner.threads import in_thread

T = TypeVar("T")

JobOf = Callable[[str], tuple[Job, dict[str, Host]]]
"""What a deployment's commands carry, and its hosts by name. May block."""

DEPLOYMENTS_KEPT = 64
HOSTS_KEPT = 2048


class SignedSpecifications:
    """Gives `DeploymentSpecification`s. *job_of*: a deployment that has begun. Many may ask for the same at once."""

    def __init__(
        self,
        job_of: JobOf,
        key: SigningKey,
        executor: ExecutorSettings = ExecutorSettings(),  # noqa: B008 - frozen
    ) -> None:
        self._job_of, self._key, self._executor = job_of, key, executor
        self._jobs: Kept[tuple[Job, dict[str, Host]]] = Kept(DEPLOYMENTS_KEPT)
        self._generic: Kept[dict[str, str]] = Kept(DEPLOYMENTS_KEPT)
        self._variants: Kept[dict[str, str]] = Kept(HOSTS_KEPT)

    async def of(self, deployment_id: str, host: str, *, ours: bool) -> dict[str, Any]:
        job, hosts = await self._jobs.get(deployment_id, lambda: self._job_of(deployment_id))
        found: dict[str, Any] = {"GenericEnvelope": await self._generic.get(deployment_id, lambda: self._official(job))}
        if ours:
            found["VariantId"] = "penstock"
            found["VariantEnvelope"] = await self._variants.get(
                (deployment_id, host), lambda: self._ours(job, hosts[host])
            )
        return found

    def _official(self, job: Job) -> dict[str, str]:
        return {"Format": "PKCS7/JSON", "Payload": self._key.pkcs7(to_text(content(job)).encode())}

    def _ours(self, job: Job, host: Host) -> dict[str, str]:
        text = to_text(content_for_ours(job, host, self._executor))
        payload = {"content": text, "signature": self._key.signature(text.encode())}
        return {"Format": "RSA-SHA256/JSON", "Payload": json.dumps(payload)}


class Kept(Generic[T]):
    """The latest *most* results of work that blocks, each done once however many ask."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._results: OrderedDict[Hashable, asyncio.Future[T]] = OrderedDict()

    async def get(self, key: Hashable, work: Callable[[], T]) -> T:
        """The result of *work*, now or earlier. What it raises is raised to all who wait, and not kept."""
        result = self._results.get(key)
        if result is None:
            result = self._results[key] = asyncio.ensure_future(in_thread(work))
            if len(self._results) > self._most:
                self._results.popitem(last=False)
        self._results.move_to_end(key)
        try:
            return await asyncio.shield(result)
        except Exception:
            if self._results.get(key) is result:
                del self._results[key]
            raise
