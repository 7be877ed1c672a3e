"""Fetches the pictures of tasks from Label Studio, and from nowhere else unless it is allowed."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Collection
from urllib.parse import urljoin, urlsplit

import httpx

_MOST_REDIRECTS = 3
_JWT_PARTS = 3  # a personal access token of Label Studio is a JWT; a legacy token is not


class Unfetchable(Exception):
    """A picture that cannot be had, and why."""


class Pictures:
    """Pictures by the addresses that tasks have.

    ``label_studio``: address of Label Studio, to which relative addresses, such as ``/data/upload/1/a.png``, belong.
    ``token``: a personal access token or a legacy token of it. ``origins``: further ones, such as
    ``https://bucket.example.com``, that pictures may come from; the token is not sent to them.
    """

    def __init__(
        self,
        label_studio: str,
        token: str | None = None,
        origins: Collection[str] = (),
        *,
        timeout_seconds: float = 60,
    ) -> None:
        self._home = label_studio.rstrip("/") + "/"
        self._token = token
        self._origins = {_origin(each) for each in origins}
        self._http = httpx.Client(timeout=timeout_seconds)

    def fetch(self, address: str, redirects: int = _MOST_REDIRECTS) -> bytes:
        """Return the picture at an address, or where it leads. Raises Unfetchable."""
        if address.startswith("data:"):
            return _of_data(address)
        url = urljoin(self._home, address)
        at_home = _origin(url) == _origin(self._home)
        if not at_home and _origin(url) not in self._origins:
            raise Unfetchable(f"{_origin(url)} is not Label Studio, nor named with --from.")
        try:
            headers = {"Authorization": self._authorization()} if at_home and self._token else {}
            answer = self._http.get(url, headers=headers)
            if answer.is_redirect and redirects:  # Label Studio leads to the storage that holds the picture
                return self.fetch(urljoin(url, answer.headers["location"]), redirects - 1)
            answer.raise_for_status()
        except httpx.HTTPError as error:
            raise Unfetchable(f"{url}: {error}") from error
        return answer.content

    def _authorization(self) -> str:
        token = self._token or ""
        if len(token.split(".")) != _JWT_PARTS:
            return f"Token {token}"
        answer = self._http.post(urljoin(self._home, "api/token/refresh/"), json={"refresh": token})
        answer.raise_for_status()
        return f"Bearer {answer.json()['access']}"

    def close(self) -> None:
        """Close the connections."""
        self._http.close()


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}".lower()


def _of_data(address: str) -> bytes:
    head, _, body = address.partition(",")
    if not head.endswith(";base64"):
        raise Unfetchable("A data: address has to be base64.")
    try:
        return base64.b64decode(body, validate=True)
    except binascii.Error as error:
        raise Unfetchable(f"The data: address is damaged: {error}") from error
