"""Which requests are the same request."""

import datetime as dt

from identity_door import T0, Door
from signing import changed, signed

from runner.api.identity.replay import fingerprint
from runner.model.identity import Principal
from runner.ports.identity import SignedRequest

ADA = Principal(access_key_id="PKADA", role="deployer")
SECOND = dt.timedelta(seconds=1)


def of(request: SignedRequest, operation: str = "CreateDeployment", who: Principal = ADA) -> str:
    return fingerprint(who, operation, request)


def test_an_attempt_that_is_signed_anew_is_the_same_call(door: Door) -> None:
    key = door.key()
    first, again = signed(key, T0), signed(key, T0 + 3 * SECOND)
    one = {"amz_sdk_invocation_id": "b5a-1"}
    assert of(changed(first, **one)) == of(changed(again, **one))


def test_two_calls_in_one_second_are_two_where_the_client_says_so(door: Door) -> None:
    request = signed(door.key(), T0)
    assert of(changed(request, amz_sdk_invocation_id="1")) != of(changed(request, amz_sdk_invocation_id="2"))


def test_without_an_invocation_the_signature_tells(door: Door) -> None:
    key = door.key()
    assert of(signed(key, T0)) == of(signed(key, T0))
    assert of(signed(key, T0)) != of(signed(key, T0 + SECOND))


def test_key_operation_and_body_belong_to_it(door: Door) -> None:
    request = changed(signed(door.key(), T0), amz_sdk_invocation_id="1")
    others = [
        of(request._replace(body=b"{}")),
        of(request, "StopDeployment"),
        of(request, who=Principal(access_key_id="PKBEA", role="deployer")),
    ]
    assert len({of(request), *others}) == 4
