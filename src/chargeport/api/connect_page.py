"""The pages of Connect: to sign in, to choose. Plain forms, without scripts."""

from collections.abc import Sequence
from html import escape
from typing import Final

from chargeport.api.authorize_request import Wish
from chargeport.api.response import Header
from chargeport.signals.definition import Permission
from chargeport.store.records import Vehicle

HTML: Final[Header] = (b"content-type", b"text/html; charset=utf-8")

_MEANING: Final = {
    Permission.READ_CHARGE: "How it charges: power, cable, limits, timers",
    Permission.READ_CHARGE_RECORDS: "Past charging sessions",
    Permission.READ_CHARGE_LOCATIONS: "The places named in limits, timers and sessions",
    Permission.READ_BATTERY: "How full the battery is, and its range",
    Permission.READ_LOCATION: "Where the vehicle is",
    Permission.READ_VIN: "The vehicle identification number",
    Permission.CONTROL_CHARGE: "Starting, stopping and limiting its charging",
}
_STYLE: Final = (
    ":root{color-scheme:light dark}body{font:1rem/1.5 system-ui,sans-serif;max-width:32rem;margin:2rem auto;padding:0 1rem}"
    "fieldset{border:1px solid #8886;border-radius:.5rem;margin:1rem 0}label{display:block;padding:.35rem 0}"
    "input[type=text],input[type=password]{width:100%;padding:.5rem;font:inherit;box-sizing:border-box}"
    "button{padding:.6rem 1.2rem;font:inherit;margin-right:.5rem}[role=alert]{border-left:.3rem solid #c33;padding:.3rem .7rem}"
)


def again() -> str:
    """Return a page that loads itself anew: a browser coming from another site omits the session's cookie at first."""
    return _document("Connect", '<p><a href="">Go on</a></p>', '<meta http-equiv="refresh" content="0">')


def failure(detail: str) -> str:
    """Return a page with what is wrong in the application's request, for a person who can only report it to its makers."""
    return _document("Connect", f"<h1>This application can't be connected</h1>{_alert(detail)}")


def sign_in(application: str, wrong: str | None = None) -> str:
    """Return the form to sign in with."""
    return _document(
        "Sign in",
        f"<h1>Sign in</h1><p><b>{escape(application)}</b> asks to read your vehicles.</p>{_alert(wrong)}"
        '<form method="post"><input type="hidden" name="action" value="sign-in">'
        '<label>Name <input type="text" name="name" autocomplete="username" required></label>'
        '<label>Password <input type="password" name="password" autocomplete="current-password" required></label>'
        "<p><button>Sign in</button></p></form>"
        '<p>Without a password: sign in on <a href="../" target="_blank" rel="noopener">the page</a> with a link of'
        ' <code>chargeport user link</code>, then <a href="">go on here</a>.</p>',
    )


def choice(application: str, user: str, wish: Wish, cars: Sequence[Vehicle], wrong: str | None = None) -> str:
    """Return the form to choose vehicles and permissions with."""
    kind = "radio" if wish.is_single else "checkbox"
    listed = "".join(
        f'<label><input type="{kind}" name="vehicle" value="{escape(car.id)}"> {escape(_called(car))}</label>' for car in cars
    )
    permissions = "".join(_permission(permission, is_required=permission in wish.required) for permission in wish.permissions)
    return _document(
        "Connect",
        f"<h1>{escape(application)}</h1><p>It asks to read your vehicles. You are signed in as {escape(user)}.</p>"
        f"{_alert(wrong)}"
        f'<form method="post"><fieldset><legend>Vehicles</legend>{listed or "<p>There is none of this kind.</p>"}</fieldset>'
        f"<fieldset><legend>What it may read</legend>{permissions}</fieldset>"
        '<p><button name="action" value="allow">Allow</button><button name="action" value="deny">Deny</button></p></form>',
    )


def _permission(permission: Permission, *, is_required: bool) -> str:
    locked = " disabled" if is_required else f' name="permission" value="{permission}"'
    needed = " (required)" if is_required else ""
    return f'<label><input type="checkbox" checked{locked}> {_MEANING[permission]}{needed}</label>'


def _called(car: Vehicle) -> str:
    about = " ".join(str(part) for part in (car.make, car.model, car.year) if part is not None)
    return about or car.vin or (car.aliases[0] if car.aliases else car.id)


def _alert(wrong: str | None) -> str:
    return "" if wrong is None else f'<p role="alert">{escape(wrong)}</p>'


def _document(title: str, content: str, head: str = "") -> str:
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Chargeport: {title}</title>{head}'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{_STYLE}</style></head>'
        f"<body><main>{content}</main></body></html>"
    )
