"""Holds PATCH against scim2-models: generated users, groups and operations, sent to a SCIM server in strict
dialect, must come to what that library makes of them.

    patch_gate.py BASE_URL [SEED]      (the bearer token is read from SCIM_TOKEN)

Runs a fixed seed and one that it prints; SEED replays one. Ends with 1 at the first difference that is not
intended. These are:

1. an added element that is there already is merged into that one, whatever else it says (the library does so
   only when all is equal), since identity providers add what is there again: an e-mail with the value and type
   of another, a role or a member with its value;
2. an element that loses its `value` goes as a whole: what is left would be a label of nothing;
3. `remove` at a filter that selects nothing is `noTarget` (RFC 7644 section 3.5.2.2 leaves it open, table 9
   does not); the library does nothing. Members are the exception: one who is none is gone already;
4. a role that is not primary says nothing of it: `primary` false is not kept;
5. members are a set of ids: they have no order, and what is told beside their `value` is the server's;
6. roles that come to have the same value are one: it says what the first says, and what only the others say.

A role's value is compared with regard to case here (the schema tells so), and without in the library: no filter
asks for one in another case.
"""

import json
import os
import random
import sys
import uuid

import httpx2
from pydantic import ValidationError
from scim2_models import URN, EnterpriseUser, Extension, Group, PatchOp, Role, SCIMException, User

CASES = 250
FIXED_SEED = 7644
CORE = "urn:ietf:params:scim:schemas:core:2.0:User"
ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
CORE_GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"
GROUP_ROLES = "urn:rollcall:params:scim:schemas:extension:1.0:Group"
MESSAGE = "urn:ietf:params:scim:api:messages:2.0:PatchOp"


class GroupWithRoles(Extension):
    __schema__ = URN(GROUP_ROLES)

    roles: list[Role] | None = None


Person = User[EnterpriseUser]
Team = Group[GroupWithRoles]

WORDS = ["a", "B", "ab", "é", "x y"]
ROLES = ["Agent_CHIC-01_Picker", "Retailer_MIDWEST_Viewer", "Clerk"]
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


def role(rng):
    element = {"value": rng.choice(ROLES)}
    for name, values in (("type", KINDS), ("display", WORDS), ("primary", [True, False])):
        if rng.random() < 0.4:
            element[name] = rng.choice(values)
    return element


def mail_key(element):
    return element["value"].lower(), element.get("type")


def by_value(element):
    return element["value"]


# What makes an element of a list and what tells it from the others, by the list's path.
LISTS = {"emails": (mail, mail_key), "roles": (role, by_value), GROUP_ROLES + ":roles": (role, by_value)}


def some(rng, path, most):
    """Different elements, one of them primary at most."""
    make, key = LISTS[path]
    found = {}
    for _ in range(rng.randint(1, most)):
        element = make(rng)
        found.setdefault(key(element), element)
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
        body["emails"] = some(rng, "emails", 3)
    if rng.random() < 0.7:
        body["roles"] = some(rng, "roles", 3)
    if rng.random() < 0.5:
        body[ENTERPRISE] = {"department": rng.choice(WORDS)}
    return body


def choice(rng, path):
    """A filter between brackets."""
    kind, value = rng.choice(KINDS), rng.choice(MAILS if path == "emails" else ROLES)
    return rng.choice([
        f'type eq "{kind}"',
        f'value eq "{value}"',
        f'type eq "{kind}" and value eq "{value}"',
        f'type eq "{kind}" or primary eq true',
        f'not (type eq "{kind}")',
        "display pr",
        f'value sw "{value[0].lower() if path == "emails" else value[0]}"',
    ])


def team(rng, members):
    body = {"schemas": [CORE_GROUP, GROUP_ROLES], "displayName": f"team-{uuid.uuid4()}"}
    if rng.random() < 0.5:
        body["externalId"] = rng.choice(WORDS)
    if rng.random() < 0.7:
        body["members"] = [{"value": value} for value in rng.sample(members, rng.randint(1, len(members)))]
    if rng.random() < 0.7:
        body[GROUP_ROLES] = {"roles": some(rng, GROUP_ROLES + ":roles", 3)}
    return body


def on_list(rng, path):
    """An operation on a list, or on some elements of it."""
    op, form = rng.choice(["add", "replace", "remove"]), rng.randrange(3)
    if form == 0:
        return one(op, path, some(rng, path, 2))
    if form == 1:
        return one("remove", f"{path}[{choice(rng, path)}]", None)
    value = MAILS if path == "emails" else ROLES
    return one(op, f"{path}[{choice(rng, path)}].{rng.choice(['value', 'display'])}", rng.choice(value))


def person_operation(rng, _members):
    op = rng.choice(["add", "replace", "remove"])
    form = rng.randrange(10)
    if form <= 2:
        return one(op, rng.choice(TEXTS), rng.choice(WORDS))
    if form <= 4:
        return on_list(rng, "emails")
    if form <= 6:
        return on_list(rng, "roles")
    if form == 7:
        names = {name: rng.choice(WORDS) for name in ("givenName", "familyName", "formatted")
                 if rng.random() < 0.5}
        return one(op, "name", names or {"givenName": rng.choice(WORDS)})
    if form == 8:
        return one(rng.choice(["add", "replace"]), "active", rng.random() < 0.5)
    value = {"title": rng.choice(WORDS), "name": {"givenName": rng.choice(WORDS)},
             ENTERPRISE: {"department": rng.choice(WORDS)}, "active": rng.random() < 0.5}
    kept = {name: value[name] for name in value if rng.random() < 0.6} or {"title": "a"}
    return {"op": rng.choice(["add", "replace"]), "value": kept}


def team_operation(rng, members):
    op = rng.choice(["add", "replace", "remove"])
    form, chosen = rng.randrange(9), rng.choice(members)
    if form == 0:
        return one(op, "externalId", rng.choice(WORDS))
    if form == 1:
        return one(rng.choice(["add", "replace"]), "displayName", f"team-{uuid.uuid4()}")
    if form <= 3:
        return on_list(rng, GROUP_ROLES + ":roles")
    if form == 4:
        return one(op, f'members[value eq "{chosen}"]', {"value": chosen})
    if form == 5:
        return one("remove", f'members[value eq "{chosen}" or value eq "{rng.choice(members)}"]', None)
    listed = [{"value": value} for value in rng.sample(members, rng.randint(1, 2))]
    if form == 6:
        return {"op": rng.choice(["add", "replace"]), "value": {"members": listed}}
    if rng.random() < 0.3:
        listed[0]["type"] = "Group" if listed[0]["value"] == members[-1] else "User"
    return one(op, "members", listed)


def one(op, path, value):
    return {"op": op, "path": path} if op == "remove" else {"op": op, "path": path, "value": value}


def is_filtered(operation):
    return "[" in operation.get("path", "")


def shown(model):
    return client_part(json.loads(model.model_dump_json(exclude_none=True, by_alias=True)))


def client_part(resource):
    """What the client wrote, without what is empty, as the differences have it."""
    server = ("id", "meta", "schemas", "groups")
    kept = {name: value for name, value in resource.items() if name not in server and value not in ({}, [])}
    if "members" in kept:
        kept["members"] = sorted({member["value"] for member in kept["members"]})
    for owner in (kept, kept.get(GROUP_ROLES, {})):
        if "roles" in owner:
            owner["roles"] = different(owner["roles"])
    if kept.get(GROUP_ROLES) == {"roles": []}:
        del kept[GROUP_ROLES]
    return kept


def different(roles):
    """One of each value, which says what the first says and then the others; `primary` only when it is true."""
    found = {}
    for element in roles:
        first = found.setdefault(element["value"], {})
        for name, value in element.items():
            if (name, value) != ("primary", False):
                first.setdefault(name, value)
    return list(found.values())


def owner_of(resource, path):
    """What holds the list at a path, and the name of it there."""
    if path.startswith(GROUP_ROLES):
        return resource[GroupWithRoles], "roles"
    return resource, path.split("[")[0]


def listed(resource, path):
    owner, name = owner_of(resource, path)
    return owner and getattr(owner, name) or []


def merged(resource, path, value, key):
    """The first difference: elements to be added that only change one that is there; the others."""
    there = {}
    for element in listed(resource, path):
        there.setdefault(key({"value": element.value, "type": element.type}), element)
    new = []
    for element in value:
        old = there.get(key(element))
        if old is None:
            new.append(element)
            continue
        for name, told in element.items():
            setattr(old, name, told)
        if element.get("primary"):
            for other in listed(resource, path):
                other.primary = other is old if other.primary is not None or other is old else None
    return new


def expected(model, body, operations):
    resource = model.model_validate(body)
    for operation in operations:
        one_expected(resource, operation)
    return shown(resource)


def one_expected(resource, operation):
    op, path = operation["op"], operation.get("path", "")
    pathless = not path and "members" in operation["value"]
    if op == "add" and (path in LISTS or path == "members" or pathless):
        _, key = LISTS.get(path, (None, by_value))
        value = operation["value"] if path else operation["value"]["members"]
        value = merged(resource, path or "members", value, key)
        if not value:
            return
        operation = one(op, path or "members", value)
    if is_filtered(operation) and not selects(resource, path):
        if path.startswith("members") and op == "remove":
            return
        if op == "remove":
            raise Refused("noTarget")
    step(resource, operation)
    if op == "remove" and path.endswith("].value"):
        owner, name = owner_of(resource, path)
        setattr(owner, name, [element for element in getattr(owner, name) or [] if element.value] or None)


def selects(resource, path):
    """Whether the path's filter selects anything: whether something could be replaced there."""
    probe = one("replace", path[: path.index("]") + 1] + ".display", "probe")
    try:
        step(resource.model_copy(deep=True), probe)
    except Refused:
        return False
    return True


def step(resource, operation):
    try:
        message = {"schemas": [MESSAGE], "Operations": [operation]}
        PatchOp[type(resource)].model_validate(message).patch(resource)
    except SCIMException as error:
        raise Refused(error.scim_type) from error
    except ValidationError as error:
        raise Refused(error.errors()[0]["type"].removeprefix("scim_")) from error


def difference(http, rng, members):
    """One case; what is wrong with its outcome, if anything."""
    if rng.random() < 0.6:
        endpoint, model, body, operation = "/Users", Person, person(rng), person_operation
    else:
        endpoint, model, body, operation = "/Groups", Team, team(rng, members), team_operation
    operations = [operation(rng, members) for _ in range(rng.randint(1, 4))]
    made = http.post(endpoint, json=body)
    if made.status_code != 201:
        return f"POST: {made.status_code} {made.text}\n{json.dumps(body)}"
    path = f"{endpoint}/{made.json()['id']}"
    try:
        wanted, refusal = expected(model, body, operations), None
    except Refused as refused:
        wanted, refusal = client_part(body), str(refused)
    answer = http.patch(path, json={"schemas": [MESSAGE], "Operations": operations})
    got = client_part(http.get(path).json())
    scim_type = answer.json().get("scimType") if answer.status_code >= 400 else None
    if answer.status_code == (200 if refusal is None else 400) and scim_type == refusal and got == wanted:
        return None
    report = {"resource": body, "operations": operations, "refusal": refusal, "wanted": wanted,
              "answered": answer.status_code, "scimType": scim_type, "got": got}
    return json.dumps(report, indent=1, ensure_ascii=False)


def some_members(http):
    """Three users and a group, to be members."""
    bodies = [("/Users", {"schemas": [CORE], "userName": f"member-{uuid.uuid4()}"}) for _ in range(3)]
    bodies.append(("/Groups", {"schemas": [CORE_GROUP], "displayName": f"member-{uuid.uuid4()}"}))
    return [http.post(endpoint, json=body).raise_for_status().json()["id"] for endpoint, body in bodies]


def main() -> int:
    headers = {"Authorization": "Bearer " + os.environ["SCIM_TOKEN"]}
    seeds = [int(seed) for seed in sys.argv[2:]] or [FIXED_SEED, random.SystemRandom().randrange(1 << 32)]
    with httpx2.Client(base_url=sys.argv[1], headers=headers, timeout=30) as http:
        members = some_members(http)
        for seed in seeds:
            rng = random.Random(seed)
            for number in range(CASES):
                wrong = difference(http, rng, members)
                if wrong:
                    print(f"scim2-models: seed {seed}, case {number}:\n{wrong}")
                    return 1
    print(f"scim2-models: {CASES * len(seeds)} patches agree (seeds {', '.join(map(str, seeds))})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
