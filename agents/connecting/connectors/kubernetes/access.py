"""Where a cluster's API is and how this process proves who it is there: as typed in, in a pod, or by kubeconfig.

The latter two read files of this host, so they are the operator's. https://kubernetes.io/docs/concepts/configuration/
organize-cluster-access-kubeconfig/ -- programs that a kubeconfig names (`exec`, `auth-provider`) are never run.
"""

from __future__ import annotations

import base64
import binascii
import os
import ssl
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from agents.connecting.certificates import trusting
from agents.errors import BadArguments, NeedsReauthorisation
from store.secrets.redaction import Secret

IN_CLUSTER: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")


@dataclass(frozen=True, kw_only=True)
class Access:
    """`token` is asked before each request: that of a pod is renewed in its file. `namespace` is the usual one."""

    server: str
    token: Callable[[], Secret | None]
    trusted: ssl.SSLContext | None
    namespace: str = ""


def typed_in(server: str, token: Secret, authority: str) -> Access:
    """From the fields of the form. Raises BadArguments for a certificate that is none."""
    return Access(server=server, token=lambda: token, trusted=trusting(authority) if authority else None)


def in_cluster(folder: Path = IN_CLUSTER, environment: Mapping[str, str] = os.environ) -> Access:
    """As a pod finds it. Raises BadArguments outside of one."""
    host, port = environment.get("KUBERNETES_SERVICE_HOST", ""), environment.get("KUBERNETES_SERVICE_PORT", "443")
    if not host or not (folder / "token").exists():
        raise BadArguments("connectors.kubernetes: in_cluster is set, but this process runs in no pod of a cluster")
    shown = f"[{host}]" if ":" in host else host
    named = folder / "namespace"
    return Access(
        server=f"https://{shown}:{port}",
        token=lambda: _token_in(folder / "token"),
        trusted=trusting(_text(folder / "ca.crt")),
        namespace=named.read_text().strip() if named.exists() else "",
    )


def of_kubeconfig(path: Path, context: str) -> Access:
    """The named context, or the current one. Raises BadArguments with what cannot be used."""
    try:
        document = yaml.safe_load(_text(path))
    except yaml.YAMLError as exc:
        raise BadArguments(f"connectors.kubernetes: {path} is not YAML") from exc
    if not isinstance(document, dict):
        raise BadArguments(f"connectors.kubernetes: {path} is no kubeconfig")
    name = context or str(document.get("current-context") or "")
    chosen = _named(document, "contexts", "context", name, path)
    cluster = _named(document, "clusters", "cluster", str(chosen.get("cluster", "")), path)
    user = _named(document, "users", "user", str(chosen.get("user", "")), path)
    if cluster.get("insecure-skip-tls-verify"):
        raise BadArguments(f"connectors.kubernetes: {path} skips the check of the certificate, which is not done here")
    if not str(cluster.get("server", "")).startswith("https://"):
        raise BadArguments(f"connectors.kubernetes: {path}: the server of {name} is no https address")
    authority = _data(cluster, "certificate-authority", path)
    certificate, key = _data(user, "client-certificate", path), _data(user, "client-key", path)
    token, file = user.get("token"), user.get("tokenFile")
    if not (token or file or (certificate and key)):
        raise BadArguments(
            f"connectors.kubernetes: {path}: the user of {name} has no token and no client certificate; programs that "
            "it names are not run, so give it the token of a service account"
        )
    trusted = trusting(authority) if authority else ssl.create_default_context()
    if certificate and key:
        _present(trusted, certificate, key, path)
    return Access(
        server=str(cluster["server"]),
        token=_token_of(token, path.parent / str(file) if file else None),
        trusted=trusted,
        namespace=str(chosen.get("namespace") or "default"),
    )


def _token_of(token: object, file: Path | None) -> Callable[[], Secret | None]:
    if file is not None:
        return lambda: _token_in(file)
    known = Secret(str(token)) if token else None
    return lambda: known


def _token_in(file: Path) -> Secret:
    try:
        return Secret(file.read_text().strip())
    except OSError as exc:
        raise NeedsReauthorisation(f"the token of this process cannot be read ({exc.strerror})") from exc


def _present(trusted: ssl.SSLContext, certificate: str, key: str, path: Path) -> None:
    """The standard library takes a client's certificate from a file only."""
    with tempfile.NamedTemporaryFile("w", prefix="autoheal-", suffix=".pem") as file:  # of mode 0600
        file.write(f"{certificate}\n{key}\n")
        file.flush()
        try:
            trusted.load_cert_chain(file.name)
        except (ssl.SSLError, ValueError) as exc:
            raise BadArguments(f"connectors.kubernetes: {path}: its client certificate or key cannot be read") from exc


def _named(document: Mapping[str, Any], plural: str, singular: str, name: str, path: Path) -> Mapping[str, Any]:
    entries = document.get(plural)
    for entry in entries if isinstance(entries, list) else []:
        if isinstance(entry, dict) and entry.get("name") == name and isinstance(entry.get(singular), dict):
            found: Mapping[str, Any] = entry[singular]
            return found
    raise BadArguments(f"connectors.kubernetes: {path} has no {singular} called {name or '(none is current)'!r}")


def _data(entry: Mapping[str, Any], key: str, path: Path) -> str:
    """What stands in the file itself, or in the file that it names; "" where neither is given."""
    if inline := entry.get(f"{key}-data"):
        try:
            return base64.b64decode(str(inline), validate=True).decode()
        except (binascii.Error, UnicodeDecodeError) as exc:
            raise BadArguments(f"connectors.kubernetes: {path}: {key}-data is not base64 of a PEM text") from exc
    return _text(path.parent / str(entry[key])) if entry.get(key) else ""


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        raise BadArguments(f"connectors.kubernetes: {path} cannot be read") from exc
