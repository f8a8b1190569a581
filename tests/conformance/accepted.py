"""Checks in place of two of Schemathesis': what fits the description is accepted, and what does not is refused.

Those take for a fault what no schema of one parameter can say. Here each such rule is named, by how its refusal begins.
"""

import re
from typing import Any

import schemathesis
from schemathesis.core import NotSet
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

from chargeport.signals.catalogue import CATALOGUE
from chargeport.signals.definition import Kind

# Bodies of which the description can't say what is taken, and why.
UNSAID = {
    "Payload": "another system's words: its dialect knows them",
    "SmartcarEvent": "Smartcar's words; all but a VERIFY has to be signed",
    "SimulatorAction": "the action in the path says which of the bodies it is",
}
# The page where a person connects vehicles: what it is asked for must be what an application has registered.
REGISTERED = "/oauth/authorize"
BEYOND_A_SCHEMA = re.compile(
    r"at: '[^']*' is in the future"
    r"|[\w\[\]]+: '[0-9]{4}-(02-(29|3[01])|0[469]-31|11-31)"  # no such day
    r"|[\w\[\]]+: '(1970-01-01|9999-12-31)"  # with its offset, outside of what is counted
    r"|[\w\[\]]+: '94[0-9]{10}' looks like seconds"  # of the weeks before the first instant that is taken
    r"|[\w\[\]]+ must be before"  # another parameter
    r"|page\[cursor\]: '[^']*' is no cursor of this list"  # another list's, or made up: only the server makes them
    r"|page\[number\]: the order of vehicles has no numbered pages"  # with order=vehicle
    r"|resolution: '[^']*' is neither raw nor a duration from PT1M to P31D"  # the bounds
    r"|resolution: [0-9]+ intervals between"  # with from and to
    r"|zone: '[^']*' is no time zone"  # there are hundreds, and the system has them
    r"|.*name weekdays, weekends or both"  # one of two members
    r"|Send link, or name and password"
    r"|client_(id|secret) is missing: send it in the body, or use Basic"  # the header may have both
    r"|The (code|refresh token) "  # that a person's consent led to: only the server makes them
    r"|No record has the id|No edit of its records has the number"  # of this vehicle
    r"|An instant must be between 1970 and 9999"  # with its offset
    r"|a session starts before it ends|The session has not ended yet|A split must be between"
    r"|records: at least two are needed"  # different ones
    r"|The clock can be set forward"  # from what time it is there
    r"|Name speed or isFrozen, not both|Name at or advanceSeconds, not both"
    r"|scenario: "  # the text of a file in a form of its own
    r"|There are [0-9]+ faults already"
    r"|.*Expected `int[^`]*`, got `float`"  # to a schema 1.0 is whole
)
# Of readings: the vehicles that are known, the time it is, and what texts say that there is no value.
BEYOND_READINGS = {"UNKNOWN_VEHICLE", "IN_THE_FUTURE", "TOO_OLD", "PLACEHOLDER", "BAD_FORMAT"}
DOCUMENTS = {signal.code for signal in CATALOGUE if signal.kind is Kind.DOCUMENT}


@schemathesis.check
def what_fits_the_description_is_accepted(
    ctx: schemathesis.CheckContext, response: schemathesis.Response, case: schemathesis.Case
) -> bool | None:
    """Fail where a request that fits the description is refused for what the description could say."""
    if case.path == REGISTERED or body_of(case.operation.definition.raw) in UNSAID:
        return None
    if response.status_code == 400 and BEYOND_A_SCHEMA.match(response.json()["description"]):
        return None
    if response.status_code == 422 and all(map(is_beyond, response.json()["rejected"])):
        return None
    return positive_data_acceptance(ctx, response, case)


@schemathesis.check
def what_does_not_fit_the_description_is_refused(
    ctx: schemathesis.CheckContext, response: schemathesis.Response, case: schemathesis.Case
) -> bool | None:
    """Fail where a request that does not fit is taken whole; of readings those that fit are, beside others that are refused."""
    operation = case.operation.definition.raw
    if isinstance(case.body, NotSet) and not operation.get("requestBody", {}).get("required", False):
        return None  # nothing was left out that is wanted
    if response.status_code == 200 and body_of(operation) == "Readings" and response.json()["rejected"]:
        return None
    return negative_data_rejection(ctx, response, case)


def is_beyond(rejection: dict[str, Any]) -> bool:
    """Whether no schema says why an item was refused. Of documents none says which members go together."""
    return rejection["code"] in BEYOND_READINGS or rejection.get("signal") in DOCUMENTS


def body_of(operation: dict[str, Any]) -> str | None:
    """The name of the schema of an operation's body."""
    content = operation.get("requestBody", {}).get("content", {})
    named = [each["schema"].get("$ref", "") for each in content.values()]
    return str(named[0]).rpartition("/")[2] if named else None
