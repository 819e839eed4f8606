"""Calls to other services and to outside partners, timed and counted per peer."""

import http.client
import json
import time
from urllib.parse import urlsplit

from shoplib.logs import trace


class PeerError(Exception):
    """A peer did not answer, or answered with an error. `status` is its HTTP status, or None without an answer."""

    def __init__(self, message, status=None):
        super().__init__(message)
        self.status = status


class Client:
    def __init__(self, endpoints, metrics, timeout_s):
        self.endpoints, self.metrics, self.timeout_s = endpoints, metrics, timeout_s

    def get(self, peer, path):
        return self.call(peer, "GET", path)

    def post(self, peer, path, body):
        return self.call(peer, "POST", path, body)

    def call(self, peer, method, path, body=None):
        """The peer's JSON answer. Raises PeerError, also for 4xx and 5xx."""
        began = time.perf_counter()
        status = "error"
        try:
            code, answer = self.exchange(peer, method, path, body)
            status = str(code)
        except TimeoutError:
            status = "timeout"
            raise PeerError(f"{method} {peer}{path}: timed out after {self.timeout_s} s") from None
        except ConnectionRefusedError as refused:
            status = "connection_refused"
            raise PeerError(f"{method} {peer}{path}: {refused}") from None
        except (OSError, http.client.HTTPException) as failure:
            raise PeerError(f"{method} {peer}{path}: {type(failure).__name__}: {failure}") from None
        finally:
            self.metrics.observe("http_client_request_duration_seconds", time.perf_counter() - began, peer=peer)
            self.metrics.count("http_client_requests_total", peer=peer, status=status)
        if code >= 400:
            detail = answer.get("error", "") if isinstance(answer, dict) else ""
            raise PeerError(f"{method} {peer}{path} answered {code}: {detail}", code)
        return answer

    def exchange(self, peer, method, path, body):
        address = urlsplit(self.endpoints[peer])
        connection = http.client.HTTPConnection(address.hostname, address.port, timeout=self.timeout_s)
        try:
            headers = {"X-Trace-Id": getattr(trace, "id", ""), "Connection": "close"}
            content = None
            if body is not None:
                content = json.dumps(body).encode()
                headers["Content-Type"] = "application/json"
            connection.request(method, path, content, headers)
            response = connection.getresponse()
            return response.status, json.loads(response.read() or b"null")
        except ValueError:
            return 502, {"error": "the answer is not JSON"}
        finally:
            connection.close()
