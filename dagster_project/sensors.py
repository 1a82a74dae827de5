"""The sensors: what looks at the home by itself while the Dagster daemon runs. What a look does is in `watch`."""

import datetime as dt

import dagster as dg

from dagster_project.settings import Settings
from dagster_project.watch import look

SECONDS_BETWEEN_LOOKS = 60


def alerts_sensor(settings: Settings) -> dg.SensorDefinition:
    """Every minute: failed and crashed checks, failed and dead runs, late nights, stale feeds; told once each.

    It is on where the settings name a channel. A tick that could not deliver fails, and is seen so in the UI; what it
    could not deliver is sent by a later one.
    """

    @dg.sensor(
        name="alerts_sensor",
        minimum_interval_seconds=SECONDS_BETWEEN_LOOKS,
        default_status=dg.DefaultSensorStatus.RUNNING if settings.alerts.channels else dg.DefaultSensorStatus.STOPPED,
        description="Tells people of failed checks and runs, late nights and stale feeds, by the channels of `alerts`.",
    )
    def sensor(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        found = look(settings, context.instance, dt.datetime.now(dt.UTC))
        if found.undelivered:
            raise dg.Failure(found.summary())
        return dg.SkipReason(found.summary())

    return sensor
