"""Where secrets are planted: in all that is ordered, used, refused and tried again."""

from __future__ import annotations

import json
import re

import canary

from tests.acceptance.conftest import await_that
from tests.acceptance.hunt import ENDED, LOGIN, PATIENCE, Hunt, planted
from toygres.processes import flower


def plant_what_up_made(hunt: Hunt) -> None:
    home = hunt.world.home
    hunt.plant("the API's token", home.token.read_text().strip(), "file home/token")
    hunt.plant("the secret key", home.secret_keys.read_text().strip(), "file home/secret-keys")
    hunt.plant("Flower's password", flower.password(home) or "", "file home/flowerconfig.py")
    (link,) = re.findall(r"/signin/(\S+)", hunt.world.ups[0].said)
    hunt.plant("the code of the first link", link, "said by up")


def order_and_use(hunt: Hunt, given: str) -> None:
    """Instances with passwords of every origin, and every command that has to do with one."""
    toygres = hunt.world.toygres
    asked = hunt.plant("the password that a request gave", planted("asked"), *LOGIN)
    assert hunt.order("asked", password=asked)["state"] == "succeeded"
    hunt.says("create", toygres("create", "generated"))
    assert json.loads(hunt.says("uri", toygres("uri", "given", "-o", "json")))["password"] == given
    hunt.says("uri", toygres("uri", "generated"))
    hunt.says("psql", toygres("psql", "asked", "--", "-c", "SELECT 1"))
    hunt.says("signin", toygres("signin"))
    for command in (("get", "asked"), ("list",), ("operations",), ("platforms",)):
        hunt.says(command[0], toygres(*command, "-o", "json"))
    hunt.says("keys", toygres("keys", "rotate"))
    hunt.plant("the new key", hunt.world.home.secret_keys.read_text().split()[0], "file home/secret-keys")


def refuse_requests(hunt: Hunt) -> None:
    """Requests that can't be carried out, whose answers tell what was wrong with them."""
    refused = hunt.refused
    hunt.post("/v1/instances", {"name": "No Name", "password": refused}, 422)
    hunt.post("/v1/instances", {"name": "refused", "password": refused * 10}, 422)
    hunt.post("/v1/instances", {"name": "refused", "password": [refused]}, 422)
    hunt.post("/v1/instances", {"name": "refused", "password": {"password": refused}}, 422)
    hunt.post("/v1/instances", [{"password": refused}], 422)
    hunt.post("/v1/instances", {"name": "refused", "pasword": refused}, 422)
    with hunt.client() as client:
        headers = {"Content-Type": "application/json"}
        broken = client.post("/v1/instances", content=f'{{"password": "{refused}"', headers=headers)
        assert broken.status_code == 400
        hunt.seen.append(canary.answer("api", broken))
        hunt.seen.append(canary.answer("api", client.get(f"/v1/instances/{refused}")))


def fail_and_retry(hunt: Hunt) -> None:
    """A create that the server refuses, and one during which a worker meets what nobody foresaw."""
    failing = hunt.plant("the password of a create that failed", planted("failing"))
    failed = hunt.order("failing", password=failing, parameters={"shared_buffers": "7TB"})
    assert failed["state"] == "failed"
    assert failed["cause"]["evidence"]
    unexpected = hunt.plant("the password that a worker stumbled over", planted("unexpected"))
    credentials = hunt.world.home.path / "credentials"
    aside = credentials.rename(credentials.with_name("credentials-aside"))
    credentials.touch()
    try:
        stumbled = hunt.post("/v1/instances", {"name": "unexpected", "password": unexpected})["operation"]
        await_that(lambda: hunt.get(f"/v1/operations/{stumbled['id']}")["state"] in ("undoing", *ENDED), PATIENCE)
    finally:
        credentials.unlink()
        aside.rename(credentials)
    assert hunt.ended(stumbled)["cause"]["code"] == "Unexpected"
    again = hunt.plant("the password that a retry gave", planted("retried"), *LOGIN)
    retried = hunt.post(f"/v1/operations/{stumbled['id']}/retry", {"password": again})["operation"]
    assert hunt.ended(retried)["state"] == "succeeded"
    once_more = hunt.plant("the password of a retry that failed", planted("failed-again"))
    hunt.ended(hunt.post(f"/v1/operations/{failed['id']}/retry", {"password": once_more})["operation"])
    refused = hunt.plant("a password that no retry takes", planted("not-taken"))
    hunt.post(f"/v1/operations/{retried['id']}/retry", {"password": refused}, 409)
    hunt.post(f"/v1/operations/{failed['id']}/retry", {"password": refused, "pasword": refused}, 422)
    assert "Traceback" in (hunt.world.home.logs / "worker.log").read_text()
