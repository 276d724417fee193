"""Holds PATCH against scim2-models: generated users and operations, sent to a SCIM server in strict dialect,
must come to what that library makes of them.

    patch_gate.py BASE_URL [SEED]      (the bearer token is read from SCIM_TOKEN)

Runs a fixed seed and one that it prints; SEED replays one. Ends with 1 at the first difference that is not
intended. These are:

1. an added element with the value and type of one that is there is merged into that one, whatever else it
   says (the library does so only when all is equal), since identity providers add what is there again;
2. an element that loses its `value` goes as a whole: what is left would be a label of nothing;
3. `remove` at a filter that selects nothing is `noTarget` (RFC 7644 section 3.5.2.2 leaves it open, table 9
   does not); the library does nothing.
"""

import json
import os
import random
import sys
import uuid

import httpx2
from pydantic import ValidationError
from scim2_models import EnterpriseUser, PatchOp, SCIMException, User

CASES = 150
FIXED_SEED = 7644
CORE = "urn:ietf:params:scim:schemas:core:2.0:User"
ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
MESSAGE = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
Model = User[EnterpriseUser]

WORDS = ["a", "B", "ab", "é", "x y"]
MAILS = ["a@x.example", "B@x.example", "c@x.example"]
KINDS = ["work", "home"]
TEXTS = ["title", "nickName", "displayName", "name.givenName", "name.familyName", CORE + ":locale",
         ENTERPRISE + ":department", "preferredLanguage"]


class Refused(Exception):
    """The whole PATCH is refused with this scimType."""


def mail(rng):
    element = {"value": rng.choice(MAILS), "type": rng.choice(KINDS)}
    if rng.random() < 0.3:
        element["display"] = rng.choice(WORDS)
    if rng.random() < 0.3:
        element["primary"] = rng.random() < 0.7
    return element


def mails(rng, most):
    """Different elements, one of them primary at most."""
    found = {}
    for _ in range(rng.randint(1, most)):
        element = mail(rng)
        found.setdefault((element["value"].lower(), element["type"]), element)
    elements, primary = list(found.values()), False
    for element in elements:
        if element.get("primary") and primary:
            element["primary"] = False
        primary = primary or element.get("primary", False)
    return elements


def person(rng):
    body = {"schemas": [CORE, ENTERPRISE], "userName": f"ida-{uuid.uuid4()}", "active": rng.random() < 0.8}
    for name in ("title", "nickName"):
        if rng.random() < 0.5:
            body[name] = rng.choice(WORDS)
    if rng.random() < 0.7:
        body["name"] = {"givenName": rng.choice(WORDS), "familyName": rng.choice(WORDS)}
    if rng.random() < 0.8:
        body["emails"] = mails(rng, 3)
    if rng.random() < 0.5:
        body[ENTERPRISE] = {"department": rng.choice(WORDS)}
    return body


def choice_of_mail(rng):
    kind, value = rng.choice(KINDS), rng.choice(MAILS)
    return rng.choice([
        f'type eq "{kind}"',
        f'value eq "{value}"',
        f'type eq "{kind}" and value eq "{value}"',
        f'type eq "{kind}" or primary eq true',
        f'not (type eq "{kind}")',
        "display pr",
        f'value sw "{value[0].lower()}"',
    ])


def operation(rng):
    op = rng.choice(["add", "replace", "remove"])
    form = rng.randrange(9)
    if form <= 2:
        return one(op, rng.choice(TEXTS), rng.choice(WORDS))
    if form == 3:
        return one(op, "emails", mails(rng, 2))
    if form == 4:
        return one(op, f"emails[{choice_of_mail(rng)}].{rng.choice(['value', 'display'])}", rng.choice(MAILS))
    if form == 5:
        return one("remove", f"emails[{choice_of_mail(rng)}]", None)
    if form == 6:
        names = {name: rng.choice(WORDS) for name in ("givenName", "familyName", "formatted")
                 if rng.random() < 0.5}
        return one(op, "name", names or {"givenName": rng.choice(WORDS)})
    if form == 7:
        return one(rng.choice(["add", "replace"]), "active", rng.random() < 0.5)
    value = {"title": rng.choice(WORDS), "name": {"givenName": rng.choice(WORDS)},
             ENTERPRISE: {"department": rng.choice(WORDS)}, "active": rng.random() < 0.5}
    kept = {name: value[name] for name in value if rng.random() < 0.6} or {"title": "a"}
    return {"op": rng.choice(["add", "replace"]), "value": kept}


def one(op, path, value):
    return {"op": op, "path": path} if op == "remove" else {"op": op, "path": path, "value": value}


def is_filtered(operation):
    return "[" in operation.get("path", "")


def shown(model):
    return client_part(json.loads(model.model_dump_json(exclude_none=True, by_alias=True)))


def client_part(resource):
    """What the client wrote, without what is empty."""
    server = ("id", "meta", "schemas", "groups")
    return {name: value for name, value in resource.items() if name not in server and value not in ({}, [])}


def merged(user, operation):
    """The first difference: elements to be added that only change one that is there."""
    there = {(m.value.lower(), m.type): m for m in user.emails or []}
    new = []
    for element in operation["value"]:
        old = there.get((element["value"].lower(), element["type"]))
        if old is None:
            new.append(element)
            continue
        for name, value in element.items():
            setattr(old, name, value)
        if element.get("primary"):
            for other in user.emails:
                other.primary = other is old if other.primary is not None or other is old else None
    return {**operation, "value": new}


def expected(body, operations):
    user = Model.model_validate(body)
    for operation in operations:
        if operation.get("path") == "emails" and operation["op"] == "add":
            operation = merged(user, operation)
            if not operation["value"]:
                continue
        if operation["op"] == "remove" and is_filtered(operation) and not selects(user, operation["path"]):
            raise Refused("noTarget")
        step(user, operation)
        if operation["op"] == "remove" and operation["path"].endswith("].value"):
            user.emails = [m for m in user.emails or [] if m.value] or None
    return shown(user)


def selects(user, path):
    """Whether the path's filter selects anything: whether something could be replaced there."""
    probe = one("replace", path[: path.index("]") + 1] + ".display", "probe")
    try:
        step(user.model_copy(deep=True), probe)
    except Refused:
        return False
    return True


def step(user, operation):
    try:
        PatchOp[Model].model_validate({"schemas": [MESSAGE], "Operations": [operation]}).patch(user)
    except SCIMException as error:
        raise Refused(error.scim_type) from error
    except ValidationError as error:
        raise Refused(error.errors()[0]["type"].removeprefix("scim_")) from error


def difference(http, rng):
    """One case; what is wrong with its outcome, if anything."""
    body = person(rng)
    operations = [operation(rng) for _ in range(rng.randint(1, 4))]
    made = http.post("/Users", json=body)
    if made.status_code != 201:
        return f"POST: {made.status_code} {made.text}\n{json.dumps(body)}"
    path = "/Users/" + made.json()["id"]
    try:
        wanted, refusal = expected(body, operations), None
    except Refused as refused:
        wanted, refusal = client_part(body), str(refused)
    answer = http.patch(path, json={"schemas": [MESSAGE], "Operations": operations})
    got = client_part(http.get(path).json())
    scim_type = answer.json().get("scimType") if answer.status_code >= 400 else None
    if answer.status_code == (200 if refusal is None else 400) and scim_type == refusal and got == wanted:
        return None
    report = {"user": body, "operations": operations, "refusal": refusal, "wanted": wanted,
              "answered": answer.status_code, "scimType": scim_type, "got": got}
    return json.dumps(report, indent=1, ensure_ascii=False)


def main() -> int:
    headers = {"Authorization": "Bearer " + os.environ["SCIM_TOKEN"]}
    seeds = [int(seed) for seed in sys.argv[2:]] or [FIXED_SEED, random.SystemRandom().randrange(1 << 32)]
    with httpx2.Client(base_url=sys.argv[1], headers=headers, timeout=30) as http:
        for seed in seeds:
            rng = random.Random(seed)
            for number in range(CASES):
                wrong = difference(http, rng)
                if wrong:
                    print(f"scim2-models: seed {seed}, case {number}:\n{wrong}")
                    return 1
    print(f"scim2-models: {CASES * len(seeds)} patches agree (seeds {', '.join(map(str, seeds))})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
