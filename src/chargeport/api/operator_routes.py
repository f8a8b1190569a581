"""The routes for overviews of vehicles, charging sessions and administration: part of the table in `api.routes`."""

from typing import Final

from chargeport.api import administration, cursors, export, instants, overview, paging, record_rows, records, webhooks
from chargeport.api.fleet import SORTS, STATES
from chargeport.api.route import USER, VEHICLE_ID, Parameter, Route, pages, some_of
from chargeport.errors import (
    CONFLICT,
    CONNECTION_NOT_FOUND,
    MALFORMED,
    PERMISSION,
    USER_NOT_FOUND,
    VEHICLE_NOT_FOUND,
    WEBHOOK_NOT_FOUND,
)
from chargeport.signals.catalogue import BY_CODE
from chargeport.store.audit import Act

OPERATOR_ROUTES: Final = (
    Route(
        method="GET", path="/fleet", name="listFleet", tag="Vehicles", handler=overview.list_fleet, answer="FleetList",
        summary="List vehicles with the signals of an overview",
        detail="Each vehicle with its state and the signals that describe it, compact: `status` is present if a value is not"
        " valid. `meta.states` counts the vehicles by state, if all of them had to be evaluated.",
        parameters=(
            Parameter(
                overview.TEXT, "Only those with these words in make, model, year, id, VIN or aliases.", "bolt",
                longest=overview.MAX_TEXT,
            ),
            Parameter(
                overview.STATE, f"Only those in these states, of {', '.join(STATES)}.", "charging,silent",
                pattern=f"^$|{some_of(STATES)}",
            ),
            Parameter(overview.ID, "Only those with these ids.", VEHICLE_ID),
            Parameter(
                overview.SORT, f"By {', '.join(SORTS)}; with - in front, the reverse.", "-power",
                pattern=f"^-?({'|'.join(SORTS)})$",
            ),
            *pages(overview.MAX_SIZE),
        ),
        errors=(MALFORMED,),
    ),
    Route(
        method="GET", path="/records", name="listRecords", tag="Records", handler=records.list_records, answer="Records",
        files=record_rows.FILE_TYPES,
        summary="List charging sessions, with totals",
        detail="Of all vehicles that the application may see, newest first, including open ones, with people's edits."
        " `meta.totals` has the sums of all matching sessions, and by month, vehicle and place. The limit is 500 vehicles."
        " With `order=vehicle` there is no limit: pages then have no totals and no numbers (`page[number]` is refused); follow"
        " `links.next` until it is null; a file is generated while it is sent.",
        parameters=(
            Parameter(record_rows.VEHICLE, "Only of these vehicles.", VEHICLE_ID),
            Parameter(record_rows.FROM, "Started at this time or later.", "2026-05-01", pattern=instants.INSTANT_PATTERN),
            Parameter(record_rows.TO, "Started before this time.", "2026-06-01", pattern=instants.INSTANT_PATTERN),
            Parameter(record_rows.PLACE, "Only at the place of this name.", "Home"),
            Parameter(record_rows.TYPE, "Only of this charging type.", "AC", values=record_rows.TYPES),
            Parameter(record_rows.FORM, "A document, or a file of all matching sessions.", "json", values=record_rows.FORMS),
            Parameter(records.ZONE, "Time zone of the months in the totals.", "Europe/Berlin"),
            Parameter(
                record_rows.ORDER, f"By {record_rows.BY_TIME}, the newest first, or by {record_rows.BY_VEHICLE} and start.",
                record_rows.BY_TIME, values=record_rows.ORDERS,
            ),
            Parameter(
                cursors.NAME, f"With {record_rows.ORDER}={record_rows.BY_VEHICLE}: where the previous page ended, as in"
                " links.next.",
                cursors.of_begun(cursors.Begun(VEHICLE_ID, 1_777_629_600_000)), pattern=cursors.PATTERN,
            ),
            *pages(records.MAX_SIZE),
        ),
        errors=(MALFORMED, PERMISSION, VEHICLE_NOT_FOUND),
    ),
    Route(
        method="GET", path="/export", name="exportReadings", tag="Signals", handler=export.export_readings,
        kind=export.KINDS["ndjson"], files=(export.KINDS["csv"], export.KINDS["parquet"]),
        summary="Download the reported readings, in a format that import accepts",
        detail="Every change of every signal that the application may see, by vehicle, signal, source and time, as"
        " `chargeport export` writes it. Derived values are left out. Each hundred vehicles are read at one instant."
        " The file is sent in chunks; if the server can't complete it, the last chunk of HTTP is missing.",
        parameters=(
            Parameter(export.VEHICLE, "Only these vehicles, by id: repeated or separated by commas.", VEHICLE_ID),
            Parameter(
                export.SIGNAL, "Only these codes: repeated or separated by commas.", "charge-wattage,charge-ischarging",
                pattern=some_of(BY_CODE),
            ),
            Parameter(
                export.FROM, "Observed at this time or later: ISO 8601, or milliseconds since 1970.", "2026-05-01T00:00:00Z",
                pattern=instants.INSTANT_PATTERN,
            ),
            Parameter(export.TO, "Observed before this time.", "2026-05-02T00:00:00Z", pattern=instants.INSTANT_PATTERN),
            Parameter(export.FORM, "One item a line, or a table.", "csv", values=tuple(export.KINDS)),
            Parameter(export.SIGHTINGS, "Also every report of an unchanged value.", "true", values=("true", "false")),
            USER,
        ),
        errors=(MALFORMED, VEHICLE_NOT_FOUND),
    ),
    Route(
        method="GET", path="/vehicles/{vehicle_id}/records/edits", name="listRecordEdits", tag="Records",
        handler=records.list_edits, answer="RecordEdits", summary="List what people changed about a vehicle's sessions",
        errors=(VEHICLE_NOT_FOUND, PERMISSION),
    ),
    Route(
        method="POST", path="/vehicles/{vehicle_id}/records/edits", name="changeRecords", tag="Records",
        handler=records.change_records, answer="RecordChanged", body="RecordChange", status=201,
        summary="Change a vehicle's sessions; the originals are retained",
        detail="`type` is one of `split` (`record`, `at`), `merge` (`records`), `remove` (`record`), `annotate` (`record`,"
        " `note`, `place`, `isPublic`, `energyAddedKwh`, `cost`), `add` (`startedAt`, `endedAt` and optional members),"
        " `undo` (`number`).",
        errors=(MALFORMED, VEHICLE_NOT_FOUND, PERMISSION),
    ),
    Route(
        method="GET", path="/admin/sources", name="listSources", tag="Administration", handler=administration.list_sources,
        answer="SourceList", summary="List the sources with their states", errors=(PERMISSION,),
    ),
    Route(
        method="GET", path="/admin/issues", name="listIssues", tag="Administration", handler=administration.list_issues,
        answer="IssueList", summary="List what could not be understood in messages", parameters=pages(paging.MAX_SIZE),
        errors=(MALFORMED, PERMISSION),
    ),
    Route(
        method="POST", path="/admin/issues/replay", name="replayIssues", tag="Administration",
        handler=administration.replay_issues, answer="IssuesReplayed", summary="Read the messages of the issues again",
        errors=(PERMISSION,),
    ),
    Route(
        method="GET", path="/admin/audit", name="listAudit", tag="Administration", handler=administration.list_audit,
        answer="AuditList", summary="The audit log: who did what, when and from where, newest first",
        detail="Requests, tokens and wrong credentials are counted by day: `count`, from `at` to `lastAt`.",
        parameters=(
            Parameter(administration.ACT, "Only this.", "vehicle.erased", values=tuple(Act)),
            Parameter(administration.ACTOR, "Only of this one: a client id, user:NAME, shell:NAME or server.", "user:owner"),
            Parameter(administration.SUBJECT, "Only acts on this object.", VEHICLE_ID),
            Parameter(administration.FROM, "At this time or later.", "2026-05-01", pattern=instants.INSTANT_PATTERN),
            Parameter(administration.TO, "Before this time.", "2026-06-01", pattern=instants.INSTANT_PATTERN),
            *pages(paging.MAX_SIZE),
        ),
        errors=(MALFORMED, PERMISSION),
    ),
    Route(
        method="GET", path="/admin/settings", name="listSettings", tag="Administration", handler=administration.list_settings,
        answer="SettingList", summary="The settings in use, without secrets", errors=(PERMISSION,),
    ),
    Route(
        method="GET", path="/admin/applications", name="listApplications", tag="Administration",
        handler=administration.list_applications, answer="ApplicationList", summary="All applications, without secrets",
        errors=(PERMISSION,),
    ),
    Route(
        method="POST", path="/admin/applications", name="createApplication", tag="Administration",
        handler=administration.create_application, answer="ApplicationCreated", body="ApplicationWish", status=201,
        summary="Create an application; only this answer contains its secrets",
        detail='`{"name", "permissions", "connectedOnly"}`; without permissions it may read and send everything.',
        errors=(MALFORMED, PERMISSION),
    ),
    Route(
        method="POST", path="/admin/applications/{client_id}/token", name="issueApplicationToken", tag="Administration",
        handler=administration.issue_application_token, answer="ApplicationToken", status=201,
        summary="Get a bearer token of an application", errors=(PERMISSION, USER_NOT_FOUND),
    ),
    Route(
        method="DELETE", path="/admin/applications/{client_id}", name="revokeApplication", tag="Administration",
        handler=administration.revoke_application, status=204, summary="Revoke an application and its tokens",
        errors=(PERMISSION, USER_NOT_FOUND, CONFLICT),
    ),
    Route(
        method="GET", path="/admin/connections", name="listAllConnections", tag="Administration",
        handler=administration.list_all_connections, answer="AllConnections", summary="The connections of all applications",
        parameters=pages(paging.MAX_SIZE), errors=(MALFORMED, PERMISSION),
    ),
    Route(
        method="DELETE", path="/admin/connections/{connection_id}", name="removeConnection", tag="Administration",
        handler=administration.remove_connection, status=204, summary="Delete a connection of any application",
        errors=(PERMISSION, CONNECTION_NOT_FOUND),
    ),
    Route(
        method="GET", path="/admin/webhooks", name="listAllWebhooks", tag="Administration",
        handler=administration.list_all_webhooks, answer="AllWebhooks", summary="The webhooks of all applications",
        errors=(PERMISSION,),
    ),
    Route(
        method="GET", path="/admin/webhooks/{webhook_id}/deliveries", name="listAllDeliveries", tag="Administration",
        handler=administration.list_all_deliveries, answer="DeliveryList", summary="The events of any application's webhook",
        parameters=(
            Parameter("filter[state]", "Only those that are pending, delivered or dead.", "dead", values=webhooks.STATES),
            *pages(paging.MAX_SIZE),
        ),
        errors=(MALFORMED, PERMISSION, WEBHOOK_NOT_FOUND),
    ),
    Route(
        method="POST", path="/admin/webhooks/{webhook_id}/deliveries/{delivery_id}/redeliver", name="redeliverAny",
        tag="Administration", handler=administration.redeliver_any, answer="Redelivery", status=202,
        summary="Send an event of any application's webhook again", errors=(PERMISSION, WEBHOOK_NOT_FOUND),
    ),
    Route(
        method="GET", path="/admin/backup", name="downloadBackup", tag="Administration",
        handler=administration.download_backup, kind="application/vnd.sqlite3",
        summary="Download the whole database as it is now", errors=(PERMISSION,),
    ),
)  # fmt: skip
