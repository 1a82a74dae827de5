"""Settings of what watches over the nights: who is told, and how. Part of `settings`, which loads them.

What belongs here: typed settings of alerts. What does not: secrets, which only the environment holds; sending
(`alerting`); looking (`watch`).
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

VARIABLE = r"^[A-Z][A-Z0-9_]*$"
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
    """Messages as e-mail over SMTP; user and password stand in the environment, and without a user none is given."""

    kind: Literal["email"]
    host: str = Field(min_length=1)
    port: int = Field(default=587, ge=1, le=65_535)
    security: Literal["starttls", "tls", "none"] = "starttls"
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
