"""Typed settings: one YAML file, overridden by `LOYALTY_*` variables.

What belongs here: every value a shop may choose, its type, its default and the message for a wrong one.
What does not: reading data (`sources`), opening the warehouse (`warehouse`), a clock but the one that names last night.
"""

from __future__ import annotations

import datetime as dt
import difflib
import hashlib
import json
import os
import re
from pathlib import Path
from typing import Any, Literal, get_args
from zoneinfo import ZoneInfo

import yaml
from pydantic import AwareDatetime, BaseModel, Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from dagster_project.definition_settings import Definitions
from dagster_project.oversight import Alerts, Strict, Waiver
from dagster_project.source_settings import (
    CONNECTORS,
    IDENTIFIER,
    WATCHED_ONLY,
    AnySource,
    FileSource,
    RestSource,
    known_time_zone,
)

PROJECT_ROOT = Path(__file__).resolve().parent.parent
DEFAULT_CONFIG = PROJECT_ROOT / "examples" / "demo.yaml"
NIGHT_HOUR = 3  # late enough for sources to have delivered the day that ended at midnight

Language = Literal["en", "zh-Hant", "zh-Hans"]


class SettingsError(ValueError):
    """The settings cannot be used; the message names the key, what was found and what to do."""


class Business(Strict):
    """Who the shop is, when its day ends, and in which language customers' reasons are told.

    `former_names`: under which it published before; a home that holds versions of any other shop is refused.
    """

    name: str = Field(min_length=1)
    former_names: tuple[str, ...] = ()
    time_zone: str = "UTC"
    currency: str = Field(pattern=r"^[A-Z]{3}$")
    first_night: dt.date = dt.date(2020, 1, 1)
    language: Language = "en"

    @property
    def names(self) -> frozenset[str]:
        """What the shop is called, now or formerly."""
        return frozenset({self.name, *self.former_names})

    @field_validator("time_zone")
    @classmethod
    def _known_time_zone(cls, name: str) -> str:
        return known_time_zone(name)


class Learning(Strict):
    """How much the back-test and the learners read, and on how many threads; more threads change no result."""

    maximum_customers: int = Field(default=25_000, ge=1_000)
    threads: int = Field(default=1, ge=1)


class Ledger(Strict):
    """The prediction ledger: how many month ends it holds, 0 for none, and how many customers are read and followed.

    The shop's totals are of the customers read, each customer's own predictions are kept of those followed; both are
    chosen by a hash of their key.
    """

    count_evenings: int = Field(default=24, ge=0, le=120)
    maximum_customers: int = Field(default=10_000, ge=1_000)
    followed_customers: int = Field(default=2_000, ge=100)


class Voice(Strict):
    """How texts are read and surveys weighed; `count_examples` above 0 publishes so many masked texts of each theme.

    `driver_words`: a file of the columns driver, language and words, in place of the built-in lists.
    """

    minimum_rated_texts: int = Field(default=100, ge=10)
    maximum_rated_texts: int = Field(default=100_000, ge=1_000)
    count_themes: int = Field(default=30, ge=1, le=100)
    minimum_answers: int = Field(default=100, ge=20)
    driver_words: str = ""
    count_examples: int = Field(default=0, ge=0, le=10)


class Privacy(Strict):
    """What becomes of direct identifiers at the door, and which spellings of one are the same.

    `originals`: kept in one file that only its owner may read, or dropped. `calling_code`: of the country whose
    telephone numbers are written without one; `trunk_prefix`: what stands before these instead. `dotless_domains`: mail
    domains that ignore dots, `*` for all. `has_tags`: whether a + in an address begins a note of its owner.
    """

    originals: Literal["kept", "dropped"] = "kept"
    calling_code: str | None = Field(default=None, pattern=r"^[1-9][0-9]{0,2}$")
    trunk_prefix: str = Field(default="0", pattern=r"^[0-9]{0,2}$")
    dotless_domains: tuple[str, ...] = ("gmail.com", "googlemail.com")
    has_tags: bool = True


class Publishing(Strict):
    """How many versions are kept, the current and the one before in any case; and whether each has Parquet copies."""

    keep_versions: int = Field(default=14, ge=1)
    parquet_copies: bool = False


class Engine(Strict):
    """What DuckDB and dbt may use of the machine; null leaves the engine's default."""

    threads: int | None = Field(default=None, ge=1)
    memory_limit: str | None = Field(default=None, pattern=r"^\d+(\.\d+)?\s?[KMGT]i?B$")


class Settings(BaseSettings):
    """Everything a shop sets. `LOYALTY_DEFINITIONS__CHURN_HORIZON_DAYS=60` overrides a nested key.

    `shop_folder` holds the shop's own staging models (`models/staging/<source>/`) and suites (`suites/`). A relative
    path in the file counts from the file's folder, wherever the command is run: `home`, `shop_folder`, a source's
    `folder` and `declaration`, `voice.driver_words`. One that a variable gives counts from the working folder.
    """

    model_config = SettingsConfigDict(
        env_prefix="LOYALTY_",
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
        nested_model_default_partial_update=True,
    )

    business: Business
    sources: dict[str, AnySource] = Field(min_length=1)
    as_of: dt.date | None = None
    known_at: AwareDatetime | None = None
    """Of what was landed, only what was there by then counts; None counts all."""
    definitions: Definitions = Definitions()
    learning: Learning = Learning()
    ledger: Ledger = Ledger()
    privacy: Privacy = Privacy()
    voice: Voice = Voice()
    publishing: Publishing = Publishing()
    engine: Engine = Engine()
    alerts: Alerts = Alerts()
    waivers: tuple[Waiver, ...] = ()
    shop_folder: Path | None = None
    decisions: dict[str, float] = Field(default_factory=dict)
    """Metric -> the value from which on something is decided; `loyalty explain` says what would turn it."""
    home: Path = Path(".loyalty")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Let a variable win over the file, whose content arrives as constructor arguments."""
        return env_settings, init_settings

    @field_validator("sources", mode="before")
    @classmethod
    def _files_unless_said(cls, sources: Any) -> Any:
        """A source that names no connector is one of files."""
        if not isinstance(sources, dict):
            return sources
        return {
            name: {"connector": "files", **source} if isinstance(source, dict) else source
            for name, source in sources.items()
        }

    @field_validator("sources")
    @classmethod
    def _source_names(cls, sources: dict[str, AnySource]) -> dict[str, AnySource]:
        for name in sources:
            if not re.fullmatch(IDENTIFIER, name):
                raise ValueError(f"source name '{name}' must be snake case, like 'online_shop'")
        return sources

    @field_validator("home")
    @classmethod
    def _absolute_home(cls, home: Path) -> Path:
        return home.expanduser().absolute()

    def night(self, as_of: dt.date | None = None, *, now: dt.datetime | None = None) -> dt.date:
        """The business day that a run describes: the one asked for, the one set, or the last that has ended."""
        today = (now or dt.datetime.now(dt.UTC)).astimezone(ZoneInfo(self.business.time_zone)).date()
        day = as_of or self.as_of or today - dt.timedelta(days=1)
        if day >= today:
            raise SettingsError(
                f"as-of {day} has not ended in {self.business.time_zone}, where it is {today}; "
                f"the latest night is {today - dt.timedelta(days=1)}"
            )
        if day < self.business.first_night:
            raise SettingsError(
                f"as-of {day} lies before business.first_night ({self.business.first_night}); "
                "choose a later night or an earlier first_night"
            )
        return day

    def ends_at(self, as_of: dt.date) -> dt.datetime:
        """The UTC instant, exclusive, at which the business day `as_of` ends."""
        midnight = dt.datetime.combine(as_of + dt.timedelta(days=1), dt.time(), ZoneInfo(self.business.time_zone))
        return midnight.astimezone(dt.UTC)

    def fingerprint(self) -> str:
        """Sixteen hex digits over all that can change a number: not where files lie, nor what the shop is called."""
        left_out = {"home", "as_of", "publishing", "engine", "alerts", "waivers", "decisions", "shop_folder"}
        described = self.model_dump(mode="json", exclude=left_out)
        del described["business"]["name"], described["business"]["former_names"]
        described["voice"]["driver_words"] = Path(self.voice.driver_words).name
        for source in described["sources"].values():
            source.pop("folder", None)
            if "declaration" in source:
                source["declaration"] = Path(source["declaration"]).name
            for table in source["tables"].values():
                for watched in WATCHED_ONLY:
                    del table[watched]
        return hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()[:16]


def load_settings(config: Path | str | None = None, **overrides: Any) -> Settings:
    """The settings of `config`, else of `LOYALTY_CONFIG`, else of `./loyalty.yaml`, else of the built-in shop.

    Args:
        config: path of a YAML file.
        overrides: top-level keys that win over the file, for tests.

    Raises:
        SettingsError: the file is absent, is not YAML, or a key is unknown, missing or out of range.
    """
    path = _config_path(config)
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SettingsError(f"no settings at {path}; pass --config FILE or set LOYALTY_CONFIG") from None
    except (yaml.YAMLError, UnicodeDecodeError, IsADirectoryError) as fault:
        raise SettingsError(f"{path} is not readable as YAML: {' '.join(str(fault).split())}") from None
    if not isinstance(content, dict):
        raise SettingsError(f"{path} holds {type(content).__name__}, expected a mapping with 'business' and 'sources'")
    folder = path.absolute().parent
    if isinstance(content.get("home"), str):
        content["home"] = _beside(folder, content["home"])
    try:
        settings = Settings(**{**content, **overrides})
    except ValidationError as fault:
        raise SettingsError(f"{path}: {'; '.join(_explained(error) for error in fault.errors())}") from None
    voice = settings.voice.model_copy(update={"driver_words": _beside(folder, settings.voice.driver_words)})
    sources = {name: _source_beside(folder, source) for name, source in settings.sources.items()}
    settings = settings.model_copy(update={"sources": sources, "voice": voice})
    if settings.shop_folder is None:
        return settings
    shop_folder = Path(_beside(folder, str(settings.shop_folder))).resolve()
    if not (shop_folder / "models").is_dir():
        raise SettingsError(
            f"{path}: shop_folder {str(shop_folder)!r} has no folder 'models' with the shop's staging models"
        )
    return settings.model_copy(update={"shop_folder": shop_folder})


def _beside(folder: Path, told: str) -> str:
    """A path as the settings tell it, from the folder of their file on; an address, a variable or nothing as it is."""
    if not told or "://" in told or told.startswith("${"):
        return told
    return str(folder / Path(told).expanduser())


def _source_beside(folder: Path, source: AnySource) -> AnySource:
    """A source with its paths from the folder of the settings file on; a shipped declaration is a name and no path."""
    if isinstance(source, FileSource):
        return source.model_copy(update={"folder": _beside(folder, source.folder)})
    if isinstance(source, RestSource) and source.declaration.endswith((".yaml", ".yml")):
        return source.model_copy(update={"declaration": _beside(folder, source.declaration)})
    return source


def _config_path(config: Path | str | None) -> Path:
    chosen = config or os.environ.get("LOYALTY_CONFIG")
    if chosen:
        return Path(chosen).expanduser()
    local = Path("loyalty.yaml")
    return local if local.exists() else DEFAULT_CONFIG


def _explained(error: Any) -> str:
    place = [str(part) for part in error["loc"]]
    if place[0] == "sources" and place[2:3] and place[2] in CONNECTORS:
        del place[2]  # the kind of source by which pydantic chose, which stands in no file
    where = ".".join(place)
    if error["type"] == "extra_forbidden":
        close = difflib.get_close_matches(str(error["loc"][-1]), _known_keys(), n=1)
        return f"unknown key '{where}'" + (f", did you mean '{close[0]}'?" if close else "")
    if error["type"] == "missing":
        return f"'{where}' is missing"
    return f"'{where}': {error['msg'].removeprefix('Value error, ')} (found {error['input']!r:.80})"


def _known_keys() -> list[str]:
    models: list[type[BaseModel]] = [Settings]
    keys: list[str] = []
    while models:
        for name, field in models.pop().model_fields.items():
            keys.append(field.alias or name)
            models += _models_in(field.annotation)
    return keys


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    """The settings models that an annotation names, however deep."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in get_args(annotation) for model in _models_in(part)]


def expand_folder(folder: str, home: Path) -> Path:
    """`folder` with `${LOYALTY_DATA}`-like variables put in; if it is relative then, from the working folder on.

    Raises:
        SettingsError: a variable is not set.
    """

    def variable(match: re.Match[str]) -> str:
        name = match.group(1)
        found = str(home) if name == "LOYALTY_HOME" else os.environ.get(name)
        if not found:
            raise SettingsError(
                f"folder '{folder}' needs the variable {name}, which is not set; "
                f"set it to the folder that holds the data, as in {name}=/data loyalty run"
            )
        return found

    return Path(re.sub(r"\$\{([A-Z_][A-Z0-9_]*)\}", variable, folder)).expanduser().absolute()
