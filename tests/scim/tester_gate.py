"""Runs scim2-tester against a SCIM server and judges every single result.

    tester_gate.py BASE_URL            (the bearer token is read from SCIM_TOKEN)

Prints a line for each result that is not a success, then the figures. Ends with 1 when a check failed,
deviates from a recommendation, or was skipped, and the tables below do not say why that is right.
"""

import collections
import os
import sys

import httpx2
from scim2_client.engines.httpx2 import SyncSCIMClient
from scim2_tester import Status, check_server

# Checks that may be skipped: (resource type, title) -> why this server cannot support them.
ALLOWED_SKIPS: dict[tuple[str, str], str] = {}

# The fewest checks that a run must consist of: discovery that offers less would else pass with less.
CHECKS_MIN = 130

# Schema of what this server keeps of a group beyond the RFC.
GROUP_EXTENSION = "urn:rollcall:params:scim:schemas:extension:1.0:Group"

GOOD = {Status.SUCCESS, Status.COMPLIANT, Status.ACCEPTABLE}


def added_to_list(result) -> bool:
    """Whether an `add` to the groups' extension's list gave the list that was there with the new values at its end.

    The suite adds to the extension as a whole, then to the list inside it, and expects the second value alone.
    RFC 7644 section 3.5.2.1 asks for both: "a new value is added".
    """
    if result.title != "check_add_attribute" or not isinstance(result.data, dict):
        return False
    if result.resource_type != "Group" or not str(result.data.get("urn")).startswith(GROUP_EXTENSION + ":"):
        return False
    expected, actual = result.data.get("expected"), result.data.get("modify_actual")
    if not isinstance(expected, list) or not isinstance(actual, list) or len(actual) <= len(expected):
        return False
    return actual[-len(expected) :] == expected


def excuse(result) -> str | None:
    """Why a result that is not a success is right all the same, or None."""
    key = (result.resource_type or "", result.title)
    if result.status is Status.SKIPPED:
        return ALLOWED_SKIPS.get(key)
    if added_to_list(result):
        return "added to what was there, as RFC 7644 section 3.5.2.1 asks"
    return None


def main() -> int:
    headers = {"Authorization": "Bearer " + os.environ["SCIM_TOKEN"]}
    with httpx2.Client(base_url=sys.argv[1], headers=headers, timeout=30) as http:
        results = check_server(SyncSCIMClient(http))
    bad = excused = 0
    for result in results:
        if result.status in GOOD:
            continue
        why = excuse(result)
        bad += why is None
        excused += why is not None
        reason = str(result.reason).splitlines()[0]
        print(f"{result.status.name} {result.resource_type or '-'} {result.title}: {reason}")
        print(f"    {'excused: ' + why if why else 'NOT ALLOWED'}")
    counts = collections.Counter(result.status.name for result in results)
    good = len(results) - bad - excused
    listed = ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))
    print(f"scim2-tester: {len(results)} checks: {good} passed, {excused} excused, {bad} failed ({listed})")
    if len(results) < CHECKS_MIN:
        print(f"scim2-tester: a whole run has at least {CHECKS_MIN} checks")
        return 1
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
