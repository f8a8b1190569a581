"""A check in place of Schemathesis' `positive_data_acceptance`: what fits the description is accepted.

That one takes for a fault what no schema of one parameter can say. Here each such rule is named, by how its refusal begins.
"""

import re

import schemathesis
from schemathesis.specs.openapi.checks import positive_data_acceptance

# Bodies have rules between their members and those that the database decides, and some are described as any object.
WITH_BODY = ("POST", "PUT", "PATCH")
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
)


@schemathesis.check
def what_fits_the_description_is_accepted(
    ctx: schemathesis.CheckContext, response: schemathesis.Response, case: schemathesis.Case
) -> bool | None:
    """Fail where a request that fits the description is refused for what the description could say."""
    if case.method in WITH_BODY or case.path == REGISTERED:
        return None
    if response.status_code == 400 and BEYOND_A_SCHEMA.match(response.json()["description"]):
        return None
    return positive_data_acceptance(ctx, response, case)
