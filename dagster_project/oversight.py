"""Settings of what watches over the nights: who is told, and which rules are waived. Part of `settings`.

What belongs here: typed settings of alerts and waivers. What does not: secrets, which only the environment holds;
sending (`alerting`); looking (`watch`); what a waiver does (`waivers`).
"""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

VARIABLE = r"^[A-Z][A-Z0-9_]*$"
LONGEST_WAIVER = dt.timedelta(days=366)
ADDRESS = r"^[^\s@]+@[^\s@]+$"


class Strict(BaseModel):
    """Settings that nothing changes after loading, and in which an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class FileChannel(Strict):
    """Messages as lines of JSON at the end of a file; a relative path counts from `home`."""

    kind: Literal["file"]
    path: str = Field(default="alerts/messages.jsonl", min_length=1)


class WebhookChannel(Strict):
    """Messages as JSON to an address that Slack, Mattermost and the like give out.

    Whoever knows the address may post, so it is a secret and stands in the environment.
    """

    kind: Literal["webhook"]
    url_variable: str = Field(default="LOYALTY_WEBHOOK_URL", pattern=VARIABLE)


class EmailChannel(Strict):
    """Messages as e-mail over SMTP; user and password stand in the environment, and without a user none is given.

    `authority_file`: PEM file of the authorities that vouch for the server, in place of the machine's own; a relative
    path counts from `home`. A server that nobody vouches for gets neither password nor message.
    """

    kind: Literal["email"]
    host: str = Field(min_length=1)
    port: int = Field(default=587, ge=1, le=65_535)
    security: Literal["starttls", "tls", "none"] = "starttls"
    authority_file: str | None = Field(default=None, min_length=1)
    sender: str = Field(pattern=ADDRESS)
    recipients: tuple[Annotated[str, Field(pattern=ADDRESS)], ...] = Field(min_length=1)
    user_variable: str = Field(default="LOYALTY_SMTP_USER", pattern=VARIABLE)
    password_variable: str = Field(default="LOYALTY_SMTP_PASSWORD", pattern=VARIABLE)


ChannelSettings = Annotated[FileChannel | WebhookChannel | EmailChannel, Field(discriminator="kind")]


class Alerts(Strict):
    """Who is told of what goes wrong; without a channel nobody is.

    Attributes:
        channels: where messages go; each gets every message.
        night_due_hours: hours after the schedule's hour by which a night must be published; null asks for none.
        remind_after_hours: hours after which a problem that lasts is told again.
        heartbeat_url_variable: variable that holds an address to call at every look, so that a service outside can
            tell when the looking itself has stopped.
    """

    channels: tuple[ChannelSettings, ...] = ()
    night_due_hours: float | None = Field(default=3, gt=0)
    remind_after_hours: float = Field(default=24, gt=0)
    heartbeat_url_variable: str | None = Field(default=None, pattern=VARIABLE)


class Waiver(Strict):
    """A rule that may fail on some nights without stopping them.

    Attributes:
        table: layer and table, as in `marts.fct_orders`.
        rule: the rule's name in the table's suite.
        first_night: `from` in the settings: the first business day on which it holds.
        until: the last one; there is always one, at most 366 days later.
        reason: why, for whoever reads the numbers.
    """

    table: str = Field(pattern=r"^[a-z_]+\.[a-z][a-z0-9_]*$")
    rule: str = Field(min_length=1)
    first_night: dt.date = Field(alias="from")
    until: dt.date
    reason: str = Field(min_length=1)

    @model_validator(mode="after")
    def _in_order(self) -> Waiver:
        if not self.first_night <= self.until <= self.first_night + LONGEST_WAIVER:
            raise ValueError(
                f"a waiver from {self.first_night} until {self.until} must end on or after its first day and at most "
                "366 days later; a rule that is wrong for good belongs out of its suite"
            )
        return self

    def holds_on(self, night: dt.date) -> bool:
        """Whether the rule is waived on a business day."""
        return self.first_night <= night <= self.until

    def state_on(self, night: dt.date) -> str:
        """`waived`, or why it is not on this business day."""
        if self.holds_on(night):
            return "waived"
        return "waiver has expired" if night > self.until else "waiver begins later"

    def text(self) -> str:
        """Period and reason."""
        return f"from {self.first_night} until {self.until}: {self.reason}"
