"""A marked key goes through everything, and turns up nowhere.

Each run meets a provider that fails in one way, and that repeats the key wherever it
can. Then all that a person, a file or a log could show of it is searched for the key,
also as base64 and as part of an address.
"""

from __future__ import annotations

import asyncio
import base64
import io
import json
import logging
import threading
import traceback
import urllib.parse
import zipfile
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import ipywidgets
import pytest
from IPython.core import ultratb
from pydantic import SecretStr

import sdr_kit
from sdr_kit import Settings, Store, Workbench
from sdr_kit.account import Account
from sdr_kit.errors import SdrKitError, SettingsError
from sdr_kit.export import to_csv, to_excel
from sdr_kit.research.endpoint import Endpoint
from sdr_kit.research.failures import Failures
from sdr_kit.research.provider import ProviderResearcher
from tests.accounts import made_up
from tests.providers import FITS, SAID, SPEAKERS, Speaker
from tests.servers import Act, Exchange, RawServer, answer, hang_up, reset

# Without the `sk-` by which a key can be told, and with signs that addresses escape.
KEY = "gsk_Marked+Key/0123456789=Secret"
RETRIES = 1
TABS = range(6)
LOGGERS = ("", "sdr_kit", "httpx", "httpcore", "aiohttp", "asyncio")


def disguises(key: str) -> set[str]:
    """The key, in an address, and in base64 wherever it stands in what was encoded."""
    found = {key, urllib.parse.quote(key), urllib.parse.quote(key, safe="")}
    for before in range(3):
        whole = base64.b64encode(b"x" * before + key.encode()).decode()
        found.add(whole[4:-4])  # what stands around it changes the ends
        found.add(whole[4:-4].translate(str.maketrans("+/", "-_")))
    return found


DISGUISES = disguises(KEY)


def find_key(places: Mapping[str, str | bytes]) -> list[str]:
    """The places in which the key stands."""
    return [
        place
        for place, said in places.items()
        for text in [said if isinstance(said, str) else said.decode("latin-1")]
        if any(each in text for each in DISGUISES)
    ]


@pytest.mark.parametrize("before", ["", "x", "Bearer "])
def test_the_search_finds_a_key_in_each_disguise(before: str) -> None:
    said = before + KEY
    encoded = base64.b64encode(said.encode())
    quoted = urllib.parse.quote(said, safe="")
    places: dict[str, str | bytes] = {"plain": said, "base64": encoded}
    places |= {"address": quoted, "none": "key"}
    assert find_key(places) == ["plain", "base64", "address"]


def all_headers(exchange: Exchange) -> str:
    return "; ".join(f"{name}: {value}" for name, value in exchange.headers.items())


def echo(status: int, **headers: str) -> Act:
    """An error that repeats the request's headers, in its body and in its own."""

    async def act(exchange: Exchange) -> None:
        said = f"Refused: {all_headers(exchange)}"
        problem = {"message": said, "type": KEY, "code": f"bad {KEY}"}
        echoed = {"x-request-id": KEY, "x-echo": KEY}
        await exchange.answer(
            {"type": "error", "error": problem, "request_id": KEY},
            status=status,
            headers=echoed | headers,
        )

    return act


async def say_it_in_html(exchange: Exchange) -> None:
    page = f"<html><h1>Bad gateway</h1>{all_headers(exchange)}</html>"
    await exchange.answer(page.encode(), status=502)


async def break_off(exchange: Exchange) -> None:
    """Half a JSON document with the key in it."""
    await exchange.answer(f'{{"echo": "{all_headers(exchange)}", "output'.encode())


async def say_less_than_announced(exchange: Exchange) -> None:
    body = f'{{"echo": "{all_headers(exchange)}"'.encode()
    await exchange.answer(body, headers={"Content-Length": "9999"})
    exchange.close()


async def say_no_http(exchange: Exchange) -> None:
    await exchange.send(f"{all_headers(exchange)}\r\n\r\n".encode())
    exchange.close()


async def redirect_to_itself(exchange: Exchange) -> None:
    place = f"http://{exchange.headers['host']}/elsewhere?key={KEY}"
    await exchange.answer(b"", status=307, headers={"Location": place})


def test_a_key_goes_also_where_a_server_escapes_its_slash() -> None:
    where = Endpoint(
        prefix="OPENAI", url="http://a", key=SecretStr(KEY), model="m", prices=None
    )
    said = json.dumps({"echo": KEY}).replace("/", r"\/")
    bare = Failures("x", where).bare(httpx.Response(200, content=said.encode()))
    assert json.loads(bare.content) == {"echo": "[key]"}


def answer_with(text: str) -> Callable[[Speaker], Act]:
    return lambda speaker: answer(speaker.says(text))


def in_every_word(speaker: Speaker) -> Act:
    """An answer that fits, and repeats the key in every text of it."""
    proof = {"source": f"https://acme.de/?key={KEY}", "quote": f"It is {KEY}."}
    said = SAID | {
        "summary": {"answer": f"Key: {KEY}", "evidence": [proof | {"confidence": 1}]},
        "tier_reasons": [f"Because of {KEY}"],
    }
    return answer(speaker.says(json.dumps(said)), headers={"x-request-id": KEY})


def in_an_unfit_answer(speaker: Speaker) -> Act:
    return answer(speaker.says(json.dumps(SAID | {"tier": KEY, KEY: KEY})))


def always(act: Act) -> Callable[[Speaker], Act]:
    return lambda _speaker: act


# What the provider does, and how the account ends; None: the run is stopped.
FAULTS: dict[str, tuple[Callable[[Speaker], Act], str | None]] = {
    "success": (answer_with(FITS), "completed"),
    "400": (always(echo(400)), "failed"),
    "401": (always(echo(401)), None),
    "402": (always(echo(402)), None),
    "403": (always(echo(403)), None),
    "404": (always(echo(404)), None),
    "429": (always(echo(429, **{"Retry-After": "3600"})), None),
    "500": (always(echo(500)), "failed"),
    "503": (always(echo(503)), "failed"),
    "529": (always(echo(529, **{"Retry-After": "3600"})), None),
    "HTML": (always(say_it_in_html), "failed"),
    "half a document": (always(break_off), "failed"),
    "half an answer": (always(say_less_than_announced), "failed"),
    "no HTTP": (always(say_no_http), "failed"),
    "hung up": (always(hang_up), "failed"),
    "reset": (always(reset), "failed"),
    "redirected": (always(redirect_to_itself), "failed"),
    "unfit": (in_an_unfit_answer, "failed"),
    "said again": (in_every_word, "completed"),
}


@pytest.fixture(params=SPEAKERS)
def speaker(request: pytest.FixtureRequest) -> Speaker:
    return SPEAKERS[request.param]


@pytest.fixture
async def server() -> AsyncIterator[RawServer]:
    async with RawServer().running() as running:
        yield running


@pytest.fixture
def settings() -> Settings:
    """Settings that give up soon; the key is where people put it."""
    return Settings(
        openai_api_key=KEY,
        anthropic_api_key=KEY,
        max_api_retries=RETRIES,
        retry_initial_seconds=0.01,
        max_hold_seconds=0.01,
        request_timeout_seconds=2,
    )


@pytest.fixture
def logs() -> Iterator[io.StringIO]:
    """All that anybody logs, down to DEBUG, with tracebacks."""
    heard = io.StringIO()
    handler = logging.StreamHandler(heard)
    handler.setFormatter(logging.Formatter("%(name)s %(message)s %(args)s"))
    loggers = [logging.getLogger(name) for name in LOGGERS]
    levels = [logger.level for logger in loggers]
    logging.getLogger().addHandler(handler)
    for logger in loggers:
        logger.setLevel(logging.DEBUG)
    yield heard
    logging.getLogger().removeHandler(handler)
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)


def opened(
    speaker: Speaker, server: RawServer, settings: Settings, **options: Any
) -> Any:
    """A researcher that has its key from the settings, as people do it."""
    return speaker.open(server, api_key=None, settings=settings, **options)


def files_of(folder: Path) -> dict[str, bytes]:
    """The database with all that SQLite puts beside it, and whatever else is there."""
    return {
        f"file {path.name}": path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def unzipped(book: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(book)) as archive:
        return {f"Excel {name}": archive.read(name) for name in archive.namelist()}


def said_of(run: Any) -> dict[str, str | bytes]:
    frames = {"frame": run.frame, "attempts": run.attempts, "evidence": run.evidence}
    places: dict[str, str | bytes] = {
        "run": f"{run!r} {run} {run._repr_html_()} {run.usage}",
        "summary": f"{run.summary!r} {run.summary} {run.summary._repr_html_()}",
    }
    for name, frame in frames.items():
        places[name] = frame.to_csv() + frame.to_html()
        places[f"CSV of {name}"] = to_csv(frame)
        places |= {
            f"{key} of {name}": v for key, v in unzipped(to_excel(frame)).items()
        }
    return places


def told_of(researcher: ProviderResearcher, settings: Settings) -> dict[str, str]:
    parts = [researcher, researcher._endpoint, researcher._failures, settings]
    return {
        "objects": " ".join(f"{each!r} {each}" for each in parts),
        "settings": f"{settings.model_dump()} {settings.model_dump_json()}",
        "researcher": f"{researcher.name} {researcher.fingerprint} "
        f"{researcher.notices} {researcher._client!r}",
    }


@pytest.mark.parametrize("fault", FAULTS)
async def test_no_run_shows_the_key(
    speaker: Speaker,
    server: RawServer,
    settings: Settings,
    logs: io.StringIO,
    tmp_path: Path,
    fault: str,
) -> None:
    act, status = FAULTS[fault]
    for each in SPEAKERS.values():  # one may be asked in place of another
        server.on(each.path, act(speaker))
    asyncio.get_running_loop().set_debug(True)
    store = Store(f"sqlite:///{tmp_path / 'kept.db'}")
    async with opened(speaker, server, settings) as researcher:
        run = await sdr_kit.process(
            made_up(2), researcher, store=store, settings=settings
        )
        told = told_of(researcher, settings)
    places = {**said_of(run), **told, **files_of(tmp_path), "log": logs.getvalue()}
    assert KEY in all_headers(server.exchanges[0])  # it was used
    assert "file kept.db" in places
    assert set(run.frame["status"]) == {status or "pending"}
    assert bool(run.summary.stopped) == (status is None)
    assert find_key(places) == []


@pytest.mark.parametrize("fault", [name for name in FAULTS if name != "success"])
async def test_no_error_shows_the_key_however_it_is_looked_at(
    speaker: Speaker, server: RawServer, settings: Settings, fault: str
) -> None:
    """As when a cell calls a researcher itself, and shows or publishes what it got."""
    act, status = FAULTS[fault]
    for each in SPEAKERS.values():  # one may be asked in place of another
        server.on(each.path, act(speaker))
    async with opened(speaker, server, settings) as researcher:
        if status == "completed":
            assert find_key({"answer": repr(await researcher(made_up_one()))}) == []
            return
        with pytest.raises((SdrKitError, httpx.HTTPError)) as caught:
            await researcher(made_up_one())
    assert find_key(looked_at(caught.value)) == []


async def test_a_refused_connection_shows_no_key(
    speaker: Speaker, settings: Settings, logs: io.StringIO
) -> None:
    async with RawServer().running() as gone:
        pass
    async with opened(speaker, gone, settings) as researcher:
        with pytest.raises(httpx.ConnectError) as caught:
            await researcher(made_up_one())
        told = told_of(researcher, settings)
    assert find_key({**looked_at(caught.value), **told, "log": logs.getvalue()}) == []


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_the_key_does_not_follow_a_redirect_to_another_host(
    speaker: Speaker, server: RawServer, settings: Settings, status: int
) -> None:
    async with RawServer().running() as other:
        other.on(speaker.path, answer(speaker.says(FITS)))
        place = f"{other.address}{speaker.path}"
        server.on(speaker.path, answer(b"", status=status, headers={"Location": place}))
        async with opened(speaker, server, settings) as researcher:
            with pytest.raises(SdrKitError) as caught:
                await researcher(made_up_one())
        assert server.exchanges
        assert other.connections == 0
    assert find_key(looked_at(caught.value)) == []


@pytest.mark.parametrize("word", ["ollama", "anvils", "a", "EMPTY", "lm-studio"])
async def test_a_key_that_is_no_secret_does_not_change_the_answer(
    speaker: Speaker, server: RawServer, word: str
) -> None:
    """Servers that need no key are given a word, which an answer may have too."""
    said = SAID | {"summary": {"answer": f"They sell {word}.", "evidence": []}}
    server.on(speaker.path, answer(speaker.says(json.dumps(said))))
    async with speaker.open(server, api_key=word) as researcher:
        found = await researcher(made_up_one())
    assert found.fields["summary"] == f"They sell {word}."


@pytest.mark.parametrize(
    "wrong", [{"base_url": "ftp://x"}, {"prices": "input=x"}, {"brief": "none"}]
)
def test_a_researcher_that_cannot_be_made_shows_no_key(
    speaker: Speaker, settings: Settings, wrong: dict[str, str]
) -> None:
    told = {"base_url": "http://127.0.0.1:9", "settings": settings} | wrong
    with pytest.raises(SettingsError) as caught:
        speaker.make(**told)
    assert find_key(looked_at(caught.value)) == []


@pytest.mark.parametrize("name", ["OPENAI", "ANTHROPIC"])
def test_a_key_that_cannot_be_one_is_not_shown(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"{name}_API_KEY", f"{KEY} and\nmore")
    make = SPEAKERS["messages" if name == "ANTHROPIC" else "responses"].make
    with pytest.raises(SettingsError) as caught:
        make()
    assert find_key({"said": f"{caught.value!r} {caught.value}"}) == []


def made_up_one() -> Account:
    return next(iter(made_up(1)))


def looked_at(error: BaseException) -> dict[str, str]:
    """An error, what it carries, and tracebacks with the values of all variables."""
    assert error.__traceback__ is not None
    error = error.with_traceback(error.__traceback__.tb_next)  # without the test's own
    verbose = ultratb.VerboseTB(theme_name="nocolor")
    told = verbose.structured_traceback(type(error), error, error.__traceback__)
    places = {
        "traceback": "".join(traceback.format_exception(error)),
        "IPython, verbose": "\n".join(told),
    }
    each: BaseException | None = error
    while each is not None:
        parts = {**vars(each), "request": getattr(each, "_request", None)}
        response = getattr(each, "response", None)
        headers = [
            getattr(part, "headers", httpx.Headers()).raw
            for part in (parts["request"], response)
            if part is not None
        ]
        for frame, _ in traceback.walk_tb(each.__traceback__):
            for name, value in frame.f_locals.items():
                places[f"{name} in {frame.f_code.co_qualname}"] = represented(value)
        said = f"{each!r} {each} {each.args} {parts} {headers}"
        places[f"{type(each).__name__} itself"] = said
        each = each.__cause__ or each.__context__
    return places


def represented(value: object) -> str:
    try:
        return repr(value)
    except AttributeError:  # an object that could not be made whole
        return ""


SHOWN = ("success", "400", "500", "hung up", "HTML", "unfit", "said again")


def by_account(speaker: Speaker) -> Act:
    """Another fault for each account, by the name that stands in the request."""
    acts = [FAULTS[fault][0](speaker) for fault in SHOWN]

    async def act(exchange: Exchange) -> None:
        (place,) = (i for i in range(len(acts)) if f"Company {i}" in str(exchange.body))
        await acts[place](exchange)

    return act


@pytest.mark.slow
@pytest.mark.parametrize("speaker", ["messages"], indirect=True)
async def test_the_panel_shows_no_key(
    speaker: Speaker,
    server: RawServer,
    settings: Settings,
    logs: io.StringIO,
    tmp_path: Path,
) -> None:
    ipywidgets.Widget.close_all()  # of other tests
    server.on(speaker.path, by_account(speaker))
    # Without prices: the panel asks before it pays.
    researcher = opened(speaker, server, settings, prices=None)
    panel = Workbench(
        made_up(len(SHOWN)),
        researchers={"mine": researcher},
        store=f"sqlite:///{tmp_path / 'kept.db'}",
        settings=settings,
    )
    panel._chooser.dropdown.value = researcher
    panel._run.click()
    assert panel.job is not None
    await panel.job.finished()
    await asyncio.to_thread(wait_until_drawn)
    places: dict[str, str | bytes] = {}
    for tab in TABS:
        panel._tabs.selected_index = tab
        places[f"tab {tab}"] = state()
    for position in range(len(SHOWN)):
        panel._accounts_view._card.open(position)
        places[f"card {position}"] = state()
    for chart in panel._charts_view._which.options:
        panel._charts_view._which.value = chart
        places[f"chart {chart}"] = state()
    for kind in ("csv", "xlsx", "jsonl", "html", "merged"):
        name, contents = panel._desk.export(kind, invented=True)
        places |= unzipped(contents) if kind == "xlsx" else {name: contents}
    places |= {**files_of(tmp_path), "panel": repr(panel), "log": logs.getvalue()}
    assert "Company 6" in str(places["card 6"])
    assert "HTTP 500" in str(places["card 2"])
    assert find_key(places) == []


def wait_until_drawn() -> None:
    for thread in threading.enumerate():
        if thread.name == "sdr_kit panel":
            thread.join(10)


def state() -> str:
    """All that the widgets would send to a page, or save in a notebook."""
    return json.dumps(ipywidgets.Widget.get_manager_state(), default=repr)
