"""Fixtures of the tests of messages."""

from tests.app.sinks.conftest import make_result as make_result
