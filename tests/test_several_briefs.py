"""Two briefs for the same accounts: nothing is asked twice, nothing is lost."""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest

import sdr_kit
from sdr_kit import Account, Permanent, RateLimited, Sandbox, Settings, Transient
from sdr_kit.account import Research
from sdr_kit.errors import SdrKitError, SettingsError, Verdict, classify
from sdr_kit.research.brief import Brief
from sdr_kit.research.provider import ProviderResearcher
from sdr_kit.research.together import Together, loaded, merged
from sdr_kit.store import Store
from tests.accounts import made_up
from tests.providers import (
    ACME,
    KEY,
    PROOF,
    SPEAKERS,
    UNFIT,
    Speaker,
    openai_problem,
)
from tests.servers import Act, Exchange, RawServer, answer, hang_up

CUSTOMER, WORKFORCE = "customer-identity", "workforce-identity"
BOTH = [CUSTOMER, WORKFORCE]
BRIEFS = loaded(BOTH)
COLUMNS = ("customer-identity.tier_reason", "workforce-identity.tier_reason")
SCORES = {CUSTOMER: ("B", 6), WORKFORCE: ("A", 9)}
PASSING = {
    "429": (
        answer(openai_problem("x"), status=429, headers={"retry-after-ms": "10"}),
        "rate_limited",
    ),
    "503": (answer(openai_problem("Overloaded."), status=503), "transient"),
    "half a document": (answer(b'{"id": '), "transient"),
    "dropped": (hang_up, "transient"),
}
REFUSED = answer(openai_problem("No such company."), status=400)
BAD_KEY = answer(openai_problem("Bad key.", "invalid_api_key"), status=401)


def said(brief: Brief) -> str:
    """Gives an answer that fits."""
    tier, priority = SCORES[brief.name]
    name = next(iter(brief.tiers.A.triggers))
    answers = {
        field: {"answer": f"{brief.name} {field}", "evidence": PROOF}
        for field in brief.questions
    }
    return json.dumps(
        {
            **answers,
            "triggers": [{"trigger": name, "evidence": PROOF}] if tier == "A" else [],
            "tier_reasons": [f"{brief.name} says so."],
            "tier": tier,
            "priority_reasons": ["It is fresh."],
            "priority_score": priority,
        }
    )


class Provider:
    """Answers both briefs, and fails with each first as often as it is told to."""

    def __init__(self, speaker: Speaker, server: RawServer) -> None:
        self.asked: list[str] = []
        self.faults: dict[str, list[Act]] = {CUSTOMER: [], WORKFORCE: []}
        self._speaker = speaker
        server.on(speaker.path, self._act)

    async def _act(self, exchange: Exchange) -> None:
        body = exchange.body.decode()
        (brief,) = [each for each in BRIEFS if each.seller in body]
        self.asked.append(brief.name)
        faults = self.faults[brief.name]
        number = {"x-request-id": f"req_{len(self.asked)}"}
        fits = answer(self._speaker.says(said(brief)), headers=number)
        await (faults.pop(0) if faults else fits)(exchange)

    def asked_now(self) -> list[str]:
        """Gives which briefs were asked since it was last called."""
        asked, self.asked = self.asked, []
        return asked


@pytest.fixture(params=SPEAKERS)
def speaker(request: pytest.FixtureRequest) -> Speaker:
    return SPEAKERS[request.param]


@pytest.fixture
async def server() -> AsyncIterator[RawServer]:
    async with RawServer().running() as running:
        yield running


@pytest.fixture
def provider(speaker: Speaker, server: RawServer) -> Provider:
    return Provider(speaker, server)


@pytest.fixture
async def researcher(
    server: RawServer, speaker: Speaker
) -> AsyncIterator[ProviderResearcher]:
    async with speaker.open(server, brief=BOTH) as opened:
        yield opened


async def failure(researcher: ProviderResearcher, account: Account = ACME) -> Verdict:
    with pytest.raises(SdrKitError) as caught:
        await researcher(account)
    verdict = classify(caught.value)
    assert KEY not in repr(verdict)
    return verdict


def whole(research: Research) -> None:
    assert research.fields["customer-identity.tier"] == "B"
    assert research.fields["workforce-identity.priority_score"] == 9
    assert research.fields["customer-identity.customer_base"]
    assert research.fields["workforce-identity.triggers"]
    assert (research.tier, research.priority_score) == ("A", 9)


def part(research: Research | None, name: str) -> None:
    """Holds when the research has one brief's columns, all of them and no others."""
    assert research is not None
    assert {each.partition(".")[0] for each in research.fields} == {name}
    assert {each.partition(".")[0] for each in research.evidence} == {name}
    assert (research.tier, research.priority_score) == SCORES[name]


async def test_each_brief_is_one_request_and_the_answers_are_one_research(
    speaker: Speaker, provider: Provider, researcher: ProviderResearcher
) -> None:
    research = await researcher(ACME)
    assert provider.asked == BOTH
    whole(research)
    assert list(research.fields) == [
        f"{brief.name}.{field}"
        for brief in BRIEFS
        for field in (
            "tier",
            "priority_score",
            *brief.questions,
            "triggers",
            "tier_reason",
            "priority_reason",
        )
    ]
    assert set(research.evidence) == {
        *(f"{brief.name}.{field}" for brief in BRIEFS for field in brief.questions),
        "workforce-identity.triggers",
    }
    assert research.usage is not None
    assert research.usage.input_tokens == 2000
    assert research.usage.searches == 2 * speaker.searches
    assert research.cost_usd == pytest.approx(2 * speaker.dollars)
    assert research.request_id == "req_2"


@pytest.mark.parametrize("fault", PASSING)
async def test_after_passing_trouble_only_what_is_missing_is_asked(
    provider: Provider, researcher: ProviderResearcher, fault: str
) -> None:
    act, kind = PASSING[fault]
    provider.faults[WORKFORCE] = [act]
    verdict = await failure(researcher)
    assert provider.asked_now() == BOTH
    assert verdict.kind == kind
    part(verdict.found, CUSTOMER)
    assert verdict.usage is not None
    assert verdict.usage.input_tokens == 1000
    research = await researcher(ACME)
    assert provider.asked_now() == [WORKFORCE]
    whole(research)
    assert research.usage is not None
    assert research.usage.input_tokens == 1000  # of this attempt alone


@pytest.mark.parametrize("fault", PASSING)
async def test_what_never_works_lets_the_other_go_first(
    provider: Provider, researcher: ProviderResearcher, fault: str
) -> None:
    provider.faults[CUSTOMER] = [PASSING[fault][0]] * 3
    assert (await failure(researcher)).found is None
    assert provider.asked_now() == [CUSTOMER]
    part((await failure(researcher)).found, WORKFORCE)
    assert provider.asked_now() == [WORKFORCE, CUSTOMER]
    part((await failure(researcher)).found, WORKFORCE)
    whole(research := await researcher(ACME))
    assert provider.asked_now() == [CUSTOMER, CUSTOMER]
    assert next(iter(research.fields)) == "customer-identity.tier"


async def test_one_that_fails_for_good_does_not_lose_the_other(
    speaker: Speaker, provider: Provider, researcher: ProviderResearcher
) -> None:
    provider.faults[CUSTOMER] = [answer(speaker.says(UNFIT))] * 2
    verdict = await failure(researcher)
    assert provider.asked_now() == [CUSTOMER, CUSTOMER, WORKFORCE]
    assert verdict.kind == "permanent"
    assert verdict.message.startswith(f"customer-identity: {speaker.called}: ")
    assert verdict.raw is not None
    part(verdict.found, WORKFORCE)
    assert verdict.usage is not None
    assert verdict.usage.input_tokens == 3000
    research = await researcher(ACME)  # somebody tries again
    assert provider.asked_now() == [CUSTOMER]
    whole(research)


async def test_when_both_fail_for_good_both_are_named(
    provider: Provider, researcher: ProviderResearcher
) -> None:
    provider.faults = {CUSTOMER: [REFUSED], WORKFORCE: [REFUSED]}
    verdict = await failure(researcher)
    assert verdict.message.startswith("customer-identity: ")
    assert "; workforce-identity: " in verdict.message
    assert verdict.http_status == 400
    assert verdict.found is None
    assert not researcher._together._kept
    whole(await researcher(ACME))
    assert provider.asked_now() == BOTH * 2


async def test_what_has_failed_for_good_is_not_asked_while_the_other_has_trouble(
    provider: Provider, researcher: ProviderResearcher
) -> None:
    provider.faults[CUSTOMER] = [REFUSED]
    provider.faults[WORKFORCE] = [PASSING["429"][0], PASSING["503"][0]]
    assert (await failure(researcher)).kind == "rate_limited"
    assert (await failure(researcher)).kind == "transient"
    verdict = await failure(researcher)
    assert provider.asked_now() == [CUSTOMER, WORKFORCE, WORKFORCE, WORKFORCE]
    assert verdict.kind == "permanent"
    assert verdict.message.startswith("customer-identity: ")
    part(verdict.found, WORKFORCE)
    whole(await researcher(ACME))
    assert provider.asked_now() == [CUSTOMER]


async def test_what_has_failed_for_good_is_asked_again_after_an_opening(
    provider: Provider, researcher: ProviderResearcher
) -> None:
    provider.faults = {CUSTOMER: [REFUSED], WORKFORCE: [PASSING["503"][0]]}
    await failure(researcher)
    await researcher.__aexit__(None, None, None)
    async with researcher:
        provider.asked_now()
        whole(await researcher(ACME))
    assert sorted(provider.asked_now()) == BOTH
    await researcher.__aenter__()


async def test_what_was_answered_is_kept_over_an_opening(
    provider: Provider, server: RawServer, speaker: Speaker
) -> None:
    provider.faults[WORKFORCE] = [PASSING["503"][0]]
    researcher = speaker.open(server, brief=BOTH)
    async with researcher:
        await failure(researcher)
    async with researcher:
        whole(await researcher(ACME))
    assert provider.asked == [CUSTOMER, WORKFORCE, WORKFORCE]


async def test_who_stops_the_run_does_so_at_once(
    provider: Provider, researcher: ProviderResearcher
) -> None:
    provider.faults[CUSTOMER] = [BAD_KEY]
    verdict = await failure(researcher)
    assert verdict.kind == "stop"
    assert CUSTOMER not in verdict.message  # it is not the brief's fault
    assert provider.asked_now() == [CUSTOMER]


async def test_a_cancelled_attempt_has_paid_for_nothing_in_vain(
    provider: Provider, researcher: ProviderResearcher
) -> None:
    async def keep_silent(_: Exchange) -> None:
        arrived.set()
        await asyncio.sleep(30)

    arrived = asyncio.Event()
    provider.faults[WORKFORCE] = [keep_silent]
    task = asyncio.create_task(researcher(ACME))
    async with asyncio.timeout(10):
        await arrived.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError) as cancelled:
        await task
    known = classify(cancelled.value)
    part(known.found, CUSTOMER)
    assert known.usage is not None
    assert known.usage.input_tokens == 1000
    provider.asked_now()
    research = await researcher(ACME)
    assert provider.asked_now() == [WORKFORCE]
    whole(research)
    assert research.usage is not None
    assert research.usage.input_tokens == 1000


async def test_an_account_that_was_answered_whole_is_asked_anew(
    provider: Provider, researcher: ProviderResearcher
) -> None:
    provider.faults[WORKFORCE] = [PASSING["503"][0]]
    await failure(researcher)
    await researcher(ACME)
    provider.asked_now()
    await researcher(ACME)
    assert provider.asked_now() == BOTH


async def test_equal_companies_at_two_places_of_a_list_are_two_accounts(
    provider: Provider, researcher: ProviderResearcher
) -> None:
    first, second = (
        Account(company_name="Acme", position=place, extra={"n": float("nan")})
        for place in (0, 1)
    )
    provider.faults[WORKFORCE] = [PASSING["503"][0]]
    await failure(researcher, first)
    provider.asked_now()
    await researcher(second)
    assert provider.asked_now() == BOTH
    again = Account(company_name="Acme", position=0, extra={"n": float("nan")})
    await researcher(again)  # as a retried job makes it
    assert provider.asked_now() == [WORKFORCE]


async def test_a_failed_account_of_a_run_has_what_was_found_and_its_cost(
    speaker: Speaker, provider: Provider, researcher: ProviderResearcher
) -> None:
    provider.faults[CUSTOMER] = [REFUSED]
    provider.faults[WORKFORCE] = [PASSING["503"][0], PASSING["dropped"][0]]
    settings = Settings(retry_initial_seconds=0.01)
    run = await sdr_kit.process(
        made_up(1), researcher, store="sqlite:///briefs.db", settings=settings
    )
    assert provider.asked == [CUSTOMER, WORKFORCE, WORKFORCE, WORKFORCE]
    row = run.frame.iloc[0]
    assert list(row[["status", "tier", "priority_score"]]) == ["failed", "A", 9]
    assert row["workforce-identity.tier_reason"] == "workforce-identity says so."
    assert row["error_message"].startswith("customer-identity: ")
    assert row["cost_usd"] == pytest.approx(speaker.dollars)
    assert "workforce-identity.workforce" in set(run.evidence["field"])
    (outcome,) = Store("sqlite:///briefs.db").results(run.job_id)
    part(outcome.research, WORKFORCE)
    assert run.usage["input_tokens"] == 1000


def ok(sandbox: Sandbox) -> Counter[str]:
    return Counter(call.account for call in sandbox.log if call.status == 200)


@pytest.mark.slow
async def test_a_busy_sandbox_answers_each_brief_of_each_account_once() -> None:
    settings = Settings(max_api_retries=10, retry_initial_seconds=0.01)
    sandbox = Sandbox(
        BOTH,
        latency=0.01,
        server_error_rate=0.15,
        overloaded_rate=0.1,
        drop_rate=0.1,
        concurrency_cap=8,
        settings=settings,
    )
    accounts = made_up(60)
    run = await sdr_kit.process(accounts, sandbox, concurrency=10, settings=settings)
    assert run.summary.completed == 60
    assert ok(sandbox) == dict.fromkeys(accounts.frame["domain"], 2)
    assert run.summary.retries > 20
    assert run.usage["input_tokens"] == 2 * 60 * 900
    assert run.frame[list(COLUMNS)].notna().all(axis=None)
    ranks = run.frame[["customer-identity.tier", "workforce-identity.tier"]]
    assert list(run.frame["tier"]) == list(ranks.min(axis="columns"))


@pytest.mark.slow
async def test_a_retried_job_asks_only_for_what_is_missing() -> None:
    settings = Settings(max_api_retries=1, retry_initial_seconds=0.01)
    sandbox = Sandbox(BOTH, latency=0, server_error_rate=0.4, settings=settings)
    accounts = made_up(60)
    job = sdr_kit.start(accounts, sandbox, store="memory", settings=settings)
    await job.finished()
    half = [each.position for each in job.results(status="failed") if each.research]
    assert len(half) >= 5
    domains = accounts.frame["domain"]
    assert {ok(sandbox)[domains[place]] for place in half} == {1}
    before = job.usage["input_tokens"]
    job = job.retry(half)
    await job.finished()
    assert ok(sandbox) == dict.fromkeys(domains[half], 1)
    assert job.usage["input_tokens"] == (before or 0) + 900 * len(half)
    completed = {each.position for each in job.results(status="completed")}
    assert set(half) <= completed
    assert job.frame[list(COLUMNS)].loc[sorted(completed)].notna().all(axis=None)


@pytest.mark.parametrize(
    "make", [Sandbox, sdr_kit.OpenAIResearcher, sdr_kit.AnthropicResearcher]
)
def test_what_cannot_be_asked_together_is_refused(make: Any) -> None:
    key = {} if make is Sandbox else {"api_key": KEY}
    with pytest.raises(SettingsError, match="there is no brief to ask"):
        make(brief=[], **key)
    with pytest.raises(SettingsError, match="2 briefs are called 'general'"):
        make(brief=["general", Brief.load("general")], **key)
    with pytest.raises(SettingsError, match="there is no brief nothing"):
        make(brief=["general", "nothing"], **key)


def test_the_fingerprint_covers_every_brief(speaker: Speaker) -> None:
    def of(brief: Any) -> str | None:
        return speaker.make(brief=brief, api_key=KEY).fingerprint

    assert len({of(CUSTOMER), of(WORKFORCE), of(BOTH)}) == 3
    assert of([CUSTOMER]) == of(CUSTOMER)
    assert repr(speaker.make(brief=BOTH, api_key=KEY)).count("-identity'") == 2
    assert f"brief='{CUSTOMER}'" in repr(speaker.make(brief=[CUSTOMER], api_key=KEY))


async def test_a_list_of_one_brief_is_that_brief(
    provider: Provider, server: RawServer, speaker: Speaker
) -> None:
    async with speaker.open(server, brief=[CUSTOMER]) as researcher:
        research = await researcher(ACME)
    assert "customer_base" in research.fields
    assert provider.asked == [CUSTOMER]


def test_the_best_tier_counts_and_the_highest_priority_in_it() -> None:
    def scored(*scores: tuple[str | None, int | None]) -> tuple[str | None, int | None]:
        answers = {
            f"b{place}": Research(tier=tier, priority_score=priority)
            for place, (tier, priority) in enumerate(scores)
        }
        research = merged(answers)
        return research.tier, research.priority_score

    assert scored(("C", 10), ("B", 3), ("B", 5)) == ("B", 5)
    assert scored(("A", 1), ("B", 10)) == ("A", 1)
    assert scored((None, 9), ("C", 2)) == ("C", 2)
    assert scored((None, None), (None, 4)) == (None, 4)
    assert scored(("A", None)) == ("A", None)


BREAKS: tuple[type[BaseException], ...] = (
    Transient,
    RateLimited,
    Permanent,
    asyncio.CancelledError,
)


class Diced:
    """One run's work on one account: the dice say what comes of each question.

    Attributes:
        asked: How often something was asked.
        answers: Every answer that was given; each is unlike all others.
    """

    def __init__(
        self, dice: random.Random, together: Together, *, names: set[str], alone: bool
    ) -> None:
        self.asked = 0
        self.answers: list[str] = []
        self._dice = dice
        self._together = together
        self._names = names
        self._alone = alone  # nobody else may have taken what was kept
        self._at_work = False
        self._found: set[str] = set()
        self._lost: set[str] = set()  # for good, until somebody is told

    async def research(self, account: Account) -> list[str]:
        """Tries until all is answered, and gives the answers."""
        while True:
            try:
                research = await self._together.research(account, self._ask)
            except asyncio.CancelledError as error:
                self._check(error.__cause__ or error)
            except SdrKitError as error:
                self._check(error)
            else:
                return [str(research.fields[f"{name}.n"]) for name in self._names]

    def _check(self, error: BaseException) -> None:
        known = error.found if isinstance(error, SdrKitError) else None
        columns = known.fields if known else {}
        found = {name.partition(".")[0] for name in columns}
        if self._alone:
            assert found == self._found
        if isinstance(error, Permanent):
            lost = {each.partition(":")[0] for each in str(error).split("; ")}
            assert found | lost == self._names
            assert not found & lost
            assert lost == self._lost or not self._alone
            self._lost.clear()

    async def _ask(self, brief: Brief) -> Research:
        assert not self._at_work
        assert not self._alone or brief.name not in self._found | self._lost
        self._at_work = True
        for _ in range(self._dice.randrange(3)):
            await asyncio.sleep(0)
        self._at_work = False
        self.asked += 1
        if self._dice.random() < 0.6:
            kind = self._dice.choice(BREAKS)
            if kind is Permanent:
                self._lost.add(brief.name)
            raise kind("no")
        self._found.add(brief.name)
        self.answers.append(f"{id(self)} {self.asked}")
        return Research(fields={"n": self.answers[-1]})


@pytest.mark.parametrize("runs", [1, 2, 3])
async def test_however_it_fails_every_answer_is_in_one_result(runs: int) -> None:
    for seed in range(150):
        await play(random.Random(f"{seed}:{runs}"), runs)


async def play(dice: random.Random, runs: int) -> None:
    names = [f"b{place}" for place in range(dice.randint(2, 4))]
    general = Brief.load("general")
    briefs = [general.model_copy(update={"name": name}) for name in names]
    together = Together(briefs)
    work: list[Diced] = []
    async with asyncio.TaskGroup() as tasks:
        made = []
        for _ in range(runs):
            for account in made_up(dice.randint(1, 4)):
                each = Diced(dice, together, names={*names}, alone=runs == 1)
                work.append(each)
                made.append(tasks.create_task(each.research(account)))
    used = [one for task in made for one in task.result()]
    assert sorted(used) == sorted(one for each in work for one in each.answers)
    assert len(set(used)) == len(used) == len(names) * len(work)
    assert not together._kept  # what is answered whole is forgotten
