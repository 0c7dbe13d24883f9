"""Who may see the page: this machine, or whoever has the token."""

from __future__ import annotations

import hmac
import secrets
from dataclasses import replace
from http import HTTPStatus
from urllib.parse import parse_qs

from roma_device.app.web.request import Answer, Request, Route, refusal

COOKIE = "roma_view"


def new_token() -> str:
    """A token that nobody guesses."""
    return secrets.token_urlsafe(24)


def guarded(route: Route, token: str | None, is_secure: bool = False) -> Route:
    """``route`` for pages of our own alone, and where there is a ``token`` for those who have it.

    The token comes as ``?token=`` once, and as a cookie from then on, over TLS alone where that ``is_secure``.
    """

    def answer(request: Request) -> Answer:
        if not _is_own_page(request):
            return refusal(HTTPStatus.FORBIDDEN, "only for pages of this program")
        if token is None:
            return route(request)
        given = parse_qs(request.query).get("token", [""])[0]
        if _equals(given, token):
            only_by_tls = "; Secure" if is_secure else ""
            cookie = f"Set-Cookie: {COOKIE}={token}; HttpOnly; SameSite=Strict; Path=/{only_by_tls}"
            return replace(route(request), headers=(cookie,))
        if not _equals(_cookie(request), token):
            return refusal(HTTPStatus.FORBIDDEN, "the address with its token was printed when the program started")
        return route(request)

    return answer


def _is_own_page(request: Request) -> bool:
    """A page of another origin may not make a browser read ours."""
    origin = request.headers.get("origin")
    return origin is None or origin.partition("://")[2] == request.headers.get("host", "")


def _cookie(request: Request) -> str:
    for part in request.headers.get("cookie", "").split(";"):
        name, _, value = part.strip().partition("=")
        if name == COOKIE:
            return value
    return ""


def _equals(given: str, token: str) -> bool:
    return hmac.compare_digest(given.encode(), token.encode())
