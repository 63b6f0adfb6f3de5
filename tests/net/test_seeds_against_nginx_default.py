"""The proof that the seed checks can tell: on nginx with its default buffering (gzip on) they fail, each for its reason.

The controls: no proxy at all, and nginx set up as the texts say, pass what a buffer or a compressor was to blame for.
"""

import pytest
from lib.peers import NGINX_GZIP, NGINX_TUNED
from lib.seed_checks import (
    CHECKS,
    SeedFailure,
    closed_client_is_told,
    does_not_invite_compression,
    real_events_are_prompt,
    says_not_to_buffer,
    silence_is_filled,
    silence_is_not_cut,
    streams_what_asks_for_it,
)

# What only a relay adds: no direct connection and no nginx does it.
ADDED = {does_not_invite_compression, silence_is_filled, says_not_to_buffer}
FAILS = {check: reason for check, reason in CHECKS.items() if reason}


@pytest.mark.parametrize("check", FAILS, ids=lambda c: c.__name__)
def test_default_nginx_fails(rig, check):
    origin = rig.origin()
    nginx = rig.nginx(origin, location="proxy_read_timeout 1s;", http=NGINX_GZIP)
    with pytest.raises(SeedFailure) as failure:
        check(nginx.addr, origin)
    assert failure.value.reason == FAILS[check]


@pytest.mark.parametrize("check", [closed_client_is_told, streams_what_asks_for_it], ids=lambda c: c.__name__)
def test_default_nginx_passes_what_is_not_buffering(rig, check):
    """Said plainly: of these two failures nginx is not guilty."""
    origin = rig.origin()
    check(rig.nginx(origin, http=NGINX_GZIP).addr, origin)


@pytest.mark.parametrize("name", ["node", "express", "uvicorn"])
def test_default_nginx_holds_real_origins(rig, name):
    nginx = rig.nginx(rig.peer(name))
    with pytest.raises(SeedFailure) as failure:
        real_events_are_prompt(nginx.addr)
    assert failure.value.reason == "event held"


@pytest.mark.parametrize("check", [c for c in CHECKS if c not in ADDED], ids=lambda c: c.__name__)
def test_direct_connection_passes(rig, check):
    origin = rig.origin()
    check(("127.0.0.1", origin.port), origin)


@pytest.mark.parametrize(
    "check", [c for c in CHECKS if c not in ADDED | {silence_is_not_cut}], ids=lambda c: c.__name__
)
def test_tuned_nginx_passes(rig, check):
    """The texts' settings cure it; sluice needs none."""
    origin = rig.origin()
    location = NGINX_TUNED + " proxy_request_buffering off;"
    check(rig.nginx(origin, location=location).addr, origin)


@pytest.mark.parametrize("name", ["node", "express", "uvicorn"])
def test_direct_real_origins_are_prompt(rig, name):
    real_events_are_prompt(rig.peer(name).addr)
