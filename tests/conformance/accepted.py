"""A check in place of Schemathesis' `positive_data_acceptance`: what fits the description is accepted.

That one takes for a fault what no schema of one parameter can say. Here each such rule is named, by how its refusal begins.
"""

import re
from typing import Any

import schemathesis
from schemathesis.specs.openapi.checks import positive_data_acceptance

# Bodies that are described as any object, or have rules between their members that no schema says: a webhook's receiver, a
# reading's body by its signal, an exchange of credentials, a change by what records there are.
UNSAID = ("AnyObject", "Readings", "TokenRequest", "RecordChange")
# The page where a person connects vehicles: what it is asked for must be what an application has registered.
REGISTERED = "/oauth/authorize"
BEYOND_A_SCHEMA = re.compile(
    r"at: '[^']*' lies in the future"
    r"|[\w\[\]]+: '[0-9]{4}-(02-(29|3[01])|0[469]-31|11-31)"  # no such day
    r"|[\w\[\]]+: '(1970-01-01|9999-12-31)"  # with its offset, outside of what is counted
    r"|[\w\[\]]+: '94[0-9]{10}' looks like seconds"  # of the weeks before the first instant that is taken
    r"|[\w\[\]]+ must lie before"  # another parameter
    r"|page\[cursor\]: '[^']*' is no cursor of this list"  # another list's, or made up: only the server makes them
    r"|page\[number\]: the order of vehicles has no numbered pages"  # with order=vehicle
    r"|resolution: '[^']*' is neither raw nor a duration from PT1M to P31D"  # the bounds
    r"|resolution: [0-9]+ stretches between"  # with from and to
    r"|zone: '[^']*' is no time zone"  # there are hundreds, and the system has them
    r"|.*name weekdays, weekends or both"  # one of two members
    r"|Send link, or name and password"
)


@schemathesis.check
def what_fits_the_description_is_accepted(
    ctx: schemathesis.CheckContext, response: schemathesis.Response, case: schemathesis.Case
) -> bool | None:
    """Fail where a request that fits the description is refused for what the description could say."""
    if case.path == REGISTERED or _body_of(case.operation.definition.raw) in UNSAID:
        return None
    if response.status_code == 400 and BEYOND_A_SCHEMA.match(response.json()["description"]):
        return None
    return positive_data_acceptance(ctx, response, case)


def _body_of(operation: dict[str, Any]) -> str | None:
    """The name of the schema of an operation's body."""
    content = operation.get("requestBody", {}).get("content", {})
    named = [each["schema"].get("$ref", "") for each in content.values()]
    return str(named[0]).rpartition("/")[2] if named else None
