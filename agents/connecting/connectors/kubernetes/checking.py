"""Tests a connection: asks the server for each right that is needed, and whether anything runs there.

https://kubernetes.io/docs/reference/access-authn-authz/authorization/ -- every account may ask what it may do itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from agents.connecting.connector import Check
from agents.connecting.connectors.kubernetes.client import KubernetesClient
from agents.connecting.connectors.kubernetes.kinds import KINDS, Right
from agents.errors import AgentError

_CHECKED: Final = 3  # namespaces whose rights are asked for one by one
_AT_ONCE: Final = 6
_REVIEWS: Final = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"


class RightsCheck:
    """Of one connection; `rights` are those that it uses."""

    def __init__(self, client: KubernetesClient, namespaces: Sequence[str], rights: Sequence[Right]) -> None:
        self._client, self._namespaces, self._rights = client, namespaces, rights

    async def check(self) -> Check:
        """What can be read, what is lost for want of a right, which namespaces are empty."""
        try:
            missing = await self._missing()
            hidden = {namespace for right, namespace in missing if right.name == "pods:list"}
            empty = await self._empty([name for name in self._namespaces[:_CHECKED] if name not in hidden])
        except AgentError as exc:
            return Check(ok=False, detail=str(exc), next_action="Correct that, and test again.")
        where = (
            f"namespace {self._namespaces[0]}" if len(self._namespaces) == 1 else f"{len(self._namespaces)} namespaces"
        )
        lost: dict[Right, list[str]] = {}
        for right, namespace in missing:
            lost.setdefault(right, []).append(namespace)
        everywhere = {right.name for right, names in lost.items() if len(names) == len(self._namespaces[:_CHECKED])}
        if {"pods:list", "deployments:list"} <= everywhere:
            return Check(
                ok=False,
                detail=f"Kubernetes answers, but this account may read neither pods nor deployments in {where}",
                next_action="Apply role.yaml and bind its Role in each namespace.",
            )
        lacks = [
            f"{right.name}{' in ' if names[0] else ''}{', '.join(names)}: {right.without}"
            for right, names in lost.items()
        ]
        lacks += [f"namespace {name}: nothing runs there, or there is no such namespace" for name in empty]
        seen = f"Kubernetes answers, {where} can be read"
        advice = "Correct the names of the namespaces, if they are wrong." if empty else ""
        if lost:
            advice = f"Permit {', '.join(right.name for right in lost)} as in role.yaml, where you want that."
        has_data = len(empty) < len(self._namespaces)
        return Check(ok=not lacks, answers=True, detail=seen, lacks=tuple(lacks), next_action=advice, has_data=has_data)

    async def _missing(self) -> list[tuple[Right, str]]:
        """Each right that the account lacks, with the namespace; "" for those of the whole cluster."""
        asked = [(right, "") for right in self._rights if right.cluster]
        asked += [(right, name) for name in self._namespaces[:_CHECKED] for right in self._rights if not right.cluster]
        turns = asyncio.Semaphore(_AT_ONCE)

        async def permitted(right: Right, namespace: str) -> bool:
            attributes = {
                "verb": right.verb,
                "group": right.group,
                "resource": right.resource,
                **({"subresource": right.subresource} if right.subresource else {}),
                **({"namespace": namespace} if namespace else {}),
            }
            question = {
                "apiVersion": "authorization.k8s.io/v1",
                "kind": "SelfSubjectAccessReview",
                "spec": {"resourceAttributes": attributes},
            }
            async with turns:
                answer = await self._client.post(_REVIEWS, question, what="what this account may do")
            return bool(isinstance(answer, dict) and (answer.get("status") or {}).get("allowed") is True)

        found = await asyncio.gather(*(permitted(*one) for one in asked))
        return [one for one, allowed in zip(asked, found, strict=True) if not allowed]

    async def _empty(self, namespaces: Sequence[str]) -> list[str]:
        """Those without a pod: the server answers an empty list for a namespace that is not there."""
        found = []
        for name in namespaces:
            document = await self._client.get(
                KINDS["pods"].path(name), what=f"pods in namespace {name}", params={"limit": "1"}
            )
            if not (isinstance(document, dict) and document.get("items")):
                found.append(name)
        return found
