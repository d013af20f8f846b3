"""The route table as data."""

from server.web.table import ROUTES, Route, Scheme


def test_no_route_is_listed_twice() -> None:
    named = [(route.method, route.path) for route in ROUTES]

    assert len(set(named)) == len(named)


def test_what_is_open_to_strangers_is_open_on_purpose() -> None:
    opened = {
        (route.method, route.path)
        for route in ROUTES
        if isinstance(route, Route) and route.scheme is Scheme.NONE
    }

    assert opened == {
        ("GET", "/"),
        ("GET", "/healthcheck"),
        ("GET", "/ws"),  # finds out who calls by itself, as functions of the game do
        ("GET", "/v2/rpc/{id:.*}"),
        ("POST", "/v2/rpc/{id:.*}"),
    }


def test_logins_count_against_the_limit_of_their_address() -> None:
    counted = {route.path for route in ROUTES if route.admit is not None}

    assert counted == {
        "/v2/account/authenticate/custom",
        "/v2/account/session/refresh",
        "/v2/account/link/custom",
        "/v2/account/unlink/custom",
    }
