"""What can be set, where it is looked for, and what a wrong value is told."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from sdr_kit.errors import SdrKitError, SettingsError
from sdr_kit.settings import DATABASE_NAME, Settings, find_upwards

EXAMPLE = Path(__file__).parent.parent / ".env.example"
KEY = "sk-SECRET"


def example() -> dict[str, str]:
    """The variables of `.env.example`, those that are commented out among them."""
    lines = EXAMPLE.read_text("utf-8")
    return dict(re.findall(r"^(?:# )?([A-Z][A-Z_]+)=(.*)$", lines, re.MULTILINE))


def test_the_example_has_exactly_the_variables_there_are() -> None:
    assert set(example()) == {name.upper() for name in Settings.model_fields}


def test_the_example_as_it_stands_gives_the_defaults() -> None:
    assert Settings(_env_file=EXAMPLE) == Settings()


@pytest.mark.parametrize("name", sorted(Settings.model_fields))
def test_a_variable_of_the_example_may_be_set_to_what_the_example_says(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name.upper(), example()[name.upper()])
    Settings()


def test_the_defaults() -> None:
    assert Settings().model_dump() == {
        "enable_parallel_processing": True,
        "processing_concurrency": 5,
        "max_concurrency": 10,
        "auto_max_concurrency": 50,
        "budget_usd": None,
        "reuse_days": 60,
        "account_delay_ms": 0,
        "max_api_retries": 3,
        "retry_initial_seconds": 1.0,
        "retry_max_seconds": 60.0,
        "max_hold_seconds": 3600.0,
        "request_timeout_seconds": 300.0,
        "account_timeout_seconds": 600.0,
        "database_url": None,
        "api_token": None,
        "api_host": "127.0.0.1",
        "api_port": 8765,
        "api_max_upload_mb": 10,
        "api_max_rows": 100_000,
        "openai_api_key": None,
        "openai_base_url": "https://api.openai.com/v1",
        "openai_model": "gpt-5-mini",
        "openai_api": None,
        "openai_prices": None,
        "anthropic_api_key": None,
        "anthropic_base_url": "https://api.anthropic.com",
        "anthropic_model": "claude-sonnet-5",
        "anthropic_prices": None,
    }


def test_every_setting_says_what_it_is() -> None:
    assert all(field.description for field in Settings.model_fields.values())


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("ENABLE_PARALLEL_PROCESSING", "maybe", "valid boolean"),
        ("PROCESSING_CONCURRENCY", "0", "a whole number from 1, or 'auto'"),
        ("PROCESSING_CONCURRENCY", "five", "a whole number from 1, or 'auto'"),
        ("PROCESSING_CONCURRENCY", "2.5", "a whole number from 1, or 'auto'"),
        ("PROCESSING_CONCURRENCY", "", "a whole number from 1, or 'auto'"),
        ("MAX_CONCURRENCY", "0", "(allowed: 1 to 1000)"),
        ("MAX_CONCURRENCY", "1001", "(allowed: 1 to 1000)"),
        ("MAX_CONCURRENCY", "-1", "(allowed: 1 to 1000)"),
        ("AUTO_MAX_CONCURRENCY", "1001", "(allowed: 1 to 1000)"),
        ("ACCOUNT_DELAY_MS", "-1", "(allowed: 0 to 3600000)"),
        ("ACCOUNT_DELAY_MS", "inf", "(allowed: 0 to 3600000)"),
        ("ACCOUNT_DELAY_MS", "nan", "(allowed: 0 to 3600000)"),
        ("MAX_API_RETRIES", "-1", "(allowed: 0 to 10)"),
        ("MAX_API_RETRIES", "11", "(allowed: 0 to 10)"),
        ("RETRY_INITIAL_SECONDS", "0", "(allowed: above 0"),
        ("RETRY_MAX_SECONDS", "86401", "to 86400)"),
        ("MAX_HOLD_SECONDS", "nan", "(allowed: above 0"),
        ("REQUEST_TIMEOUT_SECONDS", "inf", "(allowed: above 0"),
        ("REQUEST_TIMEOUT_SECONDS", "2 min", "valid number"),
        ("OPENAI_BASE_URL", "api.openai.com", "must start with http:// or https://"),
        ("OPENAI_MODEL", "", "at least 1 character"),
        ("OPENAI_API", "completions", "'responses' or 'chat'"),
        ("OPENAI_PRICES", "cheap", "use input=…,output=…"),
        ("ANTHROPIC_BASE_URL", "claude", "must start with http:// or https://"),
        ("ANTHROPIC_PRICES", "input=3,output=-1,as_of=2026-11-01", "0 or more"),
    ],
)
def test_a_wrong_value_is_refused_with_its_name_and_what_is_allowed(
    name: str, value: str, allowed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as caught:
        Settings()
    message = str(caught.value)
    assert message.startswith(f"{name}={value!r}: ")
    assert allowed in message
    assert "\n" not in message
    assert isinstance(caught.value, ValueError | SdrKitError)


@pytest.mark.parametrize("written", ["auto", " Auto "])
def test_the_environment_may_choose_auto(
    written: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROCESSING_CONCURRENCY", written)
    settings = Settings()
    assert settings.chosen_concurrency(None, None) == "auto"
    assert settings.chosen_concurrency("parallel", 3) == 3
    assert settings.chosen_concurrency("sequential", None) == 1
    monkeypatch.setenv("PROCESSING_CONCURRENCY", " 7 ")
    assert Settings().processing_concurrency == 7


def test_all_wrong_values_are_named_at_once() -> None:
    with pytest.raises(SettingsError) as caught:
        Settings(max_concurrency=0, max_api_retries=99)
    assert str(caught.value).count("; ") == 1
    assert "MAX_CONCURRENCY=0: " in str(caught.value)
    assert "MAX_API_RETRIES=99: " in str(caught.value)


def test_two_settings_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(
        SettingsError,
        match=r"^PROCESSING_CONCURRENCY=8 is above MAX_CONCURRENCY=4; set both$",
    ):
        Settings(processing_concurrency=8, max_concurrency=4)
    with pytest.raises(
        SettingsError, match=r"RETRY_INITIAL_SECONDS=90.0 is above RETRY_MAX_SECONDS=60"
    ):
        Settings(retry_initial_seconds=90)


def test_a_setting_that_does_not_exist_is_refused() -> None:
    with pytest.raises(SettingsError, match="there is no setting max_concurency"):
        Settings(max_concurency=5)


def test_variables_of_others_are_no_concern_of_ours(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CONCURRENCY", "many")
    Path(".env").write_text("CONCURRENCY=many\nSOMETHING=else\n")
    assert Settings() == Settings(_env_file=None)


def test_a_key_is_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
    settings = Settings(database_url=f"postgresql://me:{KEY}@host/sdr")
    assert settings.openai_api_key == settings.anthropic_api_key == SecretStr(KEY)
    for shown in (repr(settings), str(settings), str(settings.openai_api_key)):
        assert KEY not in shown


@pytest.mark.parametrize("wrong", [{"a": KEY}, [KEY], KEY.encode() + b"\xff"])
def test_a_wrong_key_is_not_shown_in_the_error(wrong: Any) -> None:
    with pytest.raises(SettingsError) as caught:
        Settings(openai_api_key=wrong, max_concurrency=0)
    assert "OPENAI_API_KEY: " in str(caught.value)
    assert "MAX_CONCURRENCY=0" in str(caught.value)
    error: BaseException | None = caught.value
    while error is not None:
        assert KEY not in str(error)
        error = error.__cause__


@pytest.mark.parametrize("blank", ["", "  "])
def test_a_blank_key_or_database_is_unset(
    blank: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", blank)
    monkeypatch.setenv("DATABASE_URL", blank)
    monkeypatch.setenv("OPENAI_API", blank)
    monkeypatch.setenv("OPENAI_PRICES", blank)
    settings = Settings()
    assert settings.openai_api is settings.openai_prices is None
    assert settings.openai_api_key is None
    assert settings.database_url is None


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Settings().max_concurrency = 5


def test_dotenv_is_found_upwards_and_the_nearest_wins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".env").write_text("MAX_CONCURRENCY=20\n")
    below = tmp_path / "notebooks" / "deeper"
    below.mkdir(parents=True)
    monkeypatch.chdir(below)
    assert Settings().max_concurrency == 20
    (below.parent / ".env").write_text("MAX_CONCURRENCY=30\n")
    assert Settings().max_concurrency == 30
    (below / ".env").mkdir()  # a folder is no settings
    assert Settings().max_concurrency == 30
    assert find_upwards("nowhere to be found") is None


def test_code_wins_over_the_environment_and_that_over_dotenv(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Path(".env").write_text("MAX_CONCURRENCY=20\nMAX_API_RETRIES=2\n")
    monkeypatch.setenv("MAX_CONCURRENCY", "30")
    assert Settings().max_concurrency == 30
    assert Settings(max_concurrency=40).max_concurrency == 40
    assert Settings().max_api_retries == 2


def test_dotenv_may_begin_with_a_byte_order_mark() -> None:
    Path(".env").write_text("MAX_CONCURRENCY=20\n", "utf-8-sig")
    assert Settings().max_concurrency == 20


@pytest.mark.parametrize("encoding", ["utf-16", "latin-1"])
def test_dotenv_in_another_encoding_is_one_clear_error(encoding: str) -> None:
    Path(".env").write_text(f"# Schlüssel\nOPENAI_API_KEY={KEY}\n", encoding)
    with pytest.raises(SettingsError, match=r"\.env is not a text file in UTF-8") as it:
        Settings()
    assert KEY not in str(it.value)
    assert it.value.__cause__ is None


def test_the_database_is_the_projects_by_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    below = tmp_path / "notebooks"
    below.mkdir()
    monkeypatch.chdir(below)
    # The root is where `.env` is; there is no database yet.
    assert Settings().database == f"sqlite:///{tmp_path / DATABASE_NAME}"
    (tmp_path / ".env").unlink()
    (tmp_path / "pyproject.toml").touch()
    assert Settings().database == f"sqlite:///{tmp_path / DATABASE_NAME}"
    (tmp_path / "pyproject.toml").unlink()
    (below / DATABASE_NAME).touch()
    assert Settings().database == f"sqlite:///{below / DATABASE_NAME}"


def test_a_database_above_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine.db").touch()
    below = tmp_path / "notebooks"
    below.mkdir()
    (below / ".env").touch()  # looks like a project of its own
    monkeypatch.chdir(below)
    settings = Settings(database_url="sqlite:///mine.db")
    assert settings.database == f"sqlite:///{tmp_path / 'mine.db'}"
    assert Settings(database_url="sqlite:///new.db").database == (
        f"sqlite:///{below / 'new.db'}"
    )


@pytest.mark.parametrize(
    "url", ["sqlite:////somewhere/else.db", "postgresql://me@host/sdr", "nonsense"]
)
def test_any_other_database_url_is_left_as_it_is(url: str) -> None:
    assert Settings(database_url=url).database == url


@pytest.mark.parametrize("parallel", [True, False])
@pytest.mark.parametrize(
    ("mode", "concurrency", "when_parallel", "when_not"),
    [
        (None, None, 5, 1),
        (None, 7, 7, 1),
        (None, 1, 1, 1),
        ("parallel", None, 5, 5),
        ("parallel", 7, 7, 7),
        ("sequential", None, 1, 1),
        ("sequential", 7, 1, 1),
        ("sequential", 10, 1, 1),
    ],
)
def test_the_concurrency_that_a_caller_gets(
    *,
    mode: str | None,
    concurrency: int | None,
    when_parallel: int,
    when_not: int,
    parallel: bool,
) -> None:
    settings = Settings(enable_parallel_processing=parallel)
    expected = when_parallel if parallel else when_not
    assert settings.chosen_concurrency(mode, concurrency) == expected


@pytest.mark.parametrize("concurrency", [True, False, 2.5, 5.0, "5", 0, -1, 11, 10**30])
@pytest.mark.parametrize("mode", [None, "parallel", "sequential"])
def test_a_concurrency_outside_the_range_is_refused(
    mode: str | None, concurrency: Any
) -> None:
    with pytest.raises(ValueError, match=r"from 1 to 10 \(MAX_CONCURRENCY\)") as caught:
        Settings().chosen_concurrency(mode, concurrency)
    assert f"concurrency is {concurrency!r}" in str(caught.value)


@pytest.mark.parametrize("mode", ["Parallel", "", "auto", True, 1])
def test_an_unknown_mode_is_refused(mode: Any) -> None:
    with pytest.raises(ValueError, match="'sequential' or 'parallel'"):
        Settings().chosen_concurrency(mode, 5)


def test_the_highest_concurrency_can_be_raised() -> None:
    assert Settings(max_concurrency=50).chosen_concurrency(None, 50) == 50
