"""One working day of a support bot's model, told by what really happens in the sandbox."""

import asyncio
from dataclasses import dataclass
from typing import Any

from tests.sandbox.demo.api import Api
from tests.sandbox.demo.bill import hold_costs_against_the_meter
from tests.sandbox.demo.cloud import Cloud
from tests.sandbox.demo.ledger import Ledger
from tests.sandbox.demo.traffic import Traffic

NAME = "support-llama"
REQUEST: dict[str, Any] = {
    "name": NAME,
    "model": {"id": "meta-llama/Llama-3.1-8B-Instruct", "accept_eula": True},
    "path": "fleet",
    "capacity": {"min": 0, "max": 3, "instance_types": ["g6e.xlarge", "g5.2xlarge"]},
    "engine": {"name": "vllm", "max_model_len": 8192},
    "thresholds": {"idle_after_seconds": 600, "cold_start_after_seconds": 2, "queue_depth_per_instance": 4},
    "spill": {"model_id": "meta.llama3-1-8b-instruct-v1:0"},
    "budget": {"usd_per_month": 1.0, "alert_at": [0.5, 1.0]},
}
# A start in the sandbox takes 5 to 8 of its minutes; real seconds, with room for a busy machine.
PATIENCE = 60.0


def tell(line: str) -> None:
    """Print one line of the story."""
    print(f"  {line}", flush=True)


def chapter(title: str) -> None:
    """Print a chapter's heading."""
    print(f"\n{title}", flush=True)


@dataclass
class Story:
    """The chapters, in order; each leaves the deployment as the next one needs it."""

    api: Api
    cloud: Cloud
    traffic: Traffic
    ledger: Ledger

    async def run(self) -> None:
        """Tell it all."""
        await self.ask_for_a_model()
        await self.serve_from_the_fleet()
        await self.overflow()
        await self.fall_asleep()
        await self.wake_up()
        await self.lose_an_instance()
        await self.find_no_capacity()
        await self.cross_the_budget()
        await self.take_the_other_paths()
        await self.count_the_cost()
        await self.retire_everything()
        await self.hold_against_the_bill()

    async def ask_for_a_model(self) -> None:
        chapter("1. A model is asked for, and is useful before it exists")
        tell(f"POST /deployments: {REQUEST['model']['id']} on a fleet, Bedrock as its spill target")
        status, headers, _ = await self.api.call("POST", "/deployments", REQUEST)
        accepted = status == 202 and headers.get("Location", "").endswith(f"/deployments/{NAME}")
        self.ledger.expect("POST answers 202 with a Location", accepted, f"{status} {headers.get('Location')}")
        tell("While instances boot and load the model, the first customers are already asking")
        answers = [await self.traffic.ask(NAME, stream=number % 2 == 1) for number in range(6)]
        targets = {answer.target for answer in answers if answer}
        reasons = {answer.reason for answer in answers if answer}
        self.ledger.expect(
            "Bedrock answers while the fleet starts", targets == {"bedrock"}, f"{len(answers)} requests, {reasons}"
        )
        self._expect_all("while the fleet starts", await self.traffic.demand(NAME))
        again, _, error = await self.api.call("POST", "/deployments", REQUEST)
        self.ledger.expect("A name in use is refused", again == 409, str(error.get("error", {}).get("message")))
        seen = await self.api.until(NAME, lambda found: found["status"] in ("serving", "failed"), PATIENCE)
        detail = f"{seen['status']} after {seen.get('cold_start_seconds') or 0:.0f} s of the sandbox's time"
        self.ledger.expect("The deploy workflow ends serving", seen["status"] == "serving", detail)

    async def serve_from_the_fleet(self) -> None:
        chapter("2. The fleet is ready: the route moves")
        # The gateway may keep a route for two seconds.
        await asyncio.sleep(2.1)
        whole = await self.traffic.ask(NAME)
        stream = await self.traffic.ask(NAME, stream=True)
        for kind, answer in (("A whole answer", whole), ("A stream", stream)):
            from_fleet = answer is not None and answer.target == "fleet" and bool(answer.text)
            self.ledger.expect(f"{kind} comes from the fleet", from_fleet, answer.text[:60] if answer else "nothing")

        self._expect_all("from the fleet or past it", await self.traffic.demand(NAME))

    async def overflow(self) -> None:
        chapter("3. A burst above what one instance can serve")
        tell("40 clients ask as fast as they can")
        before = self.ledger.count(NAME, "bedrock"), self.ledger.count(NAME, "fleet")
        burst = asyncio.create_task(self.traffic.burst(NAME, clients=40, seconds=9, max_tokens=48))
        grown = await self.api.until(NAME, lambda found: found["desired"] > 1, 12)
        await burst
        spilled, kept = (
            self.ledger.count(NAME, "bedrock") - before[0],
            self.ledger.count(NAME, "fleet") - before[1],
        )
        self.ledger.expect(
            "The overflow goes to Bedrock", spilled > 0 and kept > 0, f"{kept} by the fleet, {spilled} spilled"
        )
        self.ledger.expect("Nothing fails", not self.ledger.failures, f"{len(self.ledger.failures)} failed")
        self.ledger.expect("The fleet scales out", grown["desired"] > 1, f"{grown['desired']} instances asked for")

    async def fall_asleep(self) -> None:
        chapter("4. Silence")
        tell("Nobody asks for ten minutes of the sandbox's time; the check sees it")
        seen = await self.api.until(NAME, lambda found: found["status"] == "asleep", PATIENCE)
        self.ledger.expect("The fleet goes to sleep", seen["status"] == "asleep", seen["status_reason"])
        self.ledger.expect(
            "The route moves to Bedrock", seen["route"]["state"] == "cold", f"route is {seen['route']['state']}"
        )
        running = await self.cloud.instances(NAME)
        self.ledger.expect("No instance is left running", not running, f"{len(running)} running")
        alert = await self.cloud.alert("asleep", 10)
        saves = alert.get("usd_per_hour") if alert else None
        self.ledger.expect(
            "A scale alert says what that saves", bool(saves and saves < 0), f"{saves} USD an hour" if alert else "none"
        )

    async def wake_up(self) -> None:
        chapter("5. Traffic returns")
        tell("20 requests at once, to a fleet that is asleep")
        answers, demanded = await asyncio.gather(
            asyncio.gather(*(self.traffic.ask(NAME, stream=number % 2 == 0) for number in range(20))),
            self.traffic.demand(NAME),
        )
        targets = {answer.target for answer in answers if answer}
        slowest = max((answer.seconds for answer in answers if answer), default=0)
        self.ledger.expect("Bedrock answers at once", targets == {"bedrock"}, f"slowest first part {slowest:.2f} s")
        self._expect_all("while the fleet sleeps", demanded)
        seen = await self.api.until(NAME, lambda found: found["status"] == "serving", PATIENCE)
        wakes = [
            event
            for event in await self.cloud.events("DeploymentStatusChanged")
            if event["deployment"] == NAME and event["status"] == "waking"
        ]
        self.ledger.expect("One wake runs, however many asked", len(wakes) == 1, f"{len(wakes)} wake(s)")
        await asyncio.sleep(2.1)
        answer = await self.traffic.ask(NAME)
        back = seen["status"] == "serving" and answer is not None and answer.target == "fleet"
        self.ledger.expect("The route comes back", back, f"{seen['status']}, {answer.target if answer else 'nothing'}")

    async def lose_an_instance(self) -> None:
        chapter("6a. An instance dies in the middle of its work")
        failed = len(self.ledger.failures)
        burst = asyncio.create_task(self.traffic.burst(NAME, clients=6, seconds=3, max_tokens=32, stream=False))
        await asyncio.sleep(1)
        killed = await self.cloud.kill_instance(NAME)
        tell(f"{killed} is gone, with requests in flight")
        answers = await burst
        rescued = sum(answer.target == "bedrock" for answer in answers)
        lost = len(self.ledger.failures) - failed
        self.ledger.expect(
            "Bedrock takes over what was in flight", rescued > 0 and lost == 0, f"{rescued} rescued, {lost} lost"
        )
        seen = await self.api.until(NAME, lambda found: found["route"]["state"] == "ready", PATIENCE)
        running = await self.cloud.instances(NAME)
        replaced = seen["route"]["state"] == "ready" and killed not in running and bool(running)
        self.ledger.expect("It is replaced and the route comes back", replaced, f"{running} now run")

    async def find_no_capacity(self) -> None:
        chapter("6b. A deployment that AWS has no capacity for")
        await self.cloud.no_capacity("p5.48xlarge")
        body = {**REQUEST, "name": "big-llama", "capacity": {"max": 1, "instance_types": ["p5.48xlarge"]}}
        await self.api.call("POST", "/deployments", body)
        seen = await self.api.until("big-llama", lambda found: found["status"] in ("failed", "serving"), PATIENCE)
        self.ledger.expect("It fails, and says why", seen["status"] == "failed", seen["status_reason"][:110])
        left = await self.cloud.leftovers("big-llama")
        self.ledger.expect("It leaves nothing behind", not left, f"{len(left)} resources {left}")
        answer = await self.traffic.ask("big-llama")
        self.ledger.expect(
            "Its spill target answers meanwhile", answer is not None and answer.target == "bedrock", "from Bedrock"
        )

    async def cross_the_budget(self) -> None:
        chapter("6c. The month's budget runs low")
        alert = await self.cloud.alert("budget", 40)
        detail = alert["what"] + ": " + alert["why"]["sentence"] if alert else "no alert"
        self.ledger.expect("A cost alert goes out", alert is not None and alert["topic"] == "cost", detail)

    async def take_the_other_paths(self) -> None:
        chapter("7. The same request on the other paths")
        for path in ("jumpstart", "bedrock"):
            body = {**REQUEST, "name": f"{NAME}-{path}", "path": path, "budget": None}
            status, _, answer = await self.api.call("POST", "/deployments", body)
            self.ledger.expect(f"POST with path {path} is accepted", status == 202, str(answer.get("error", status)))
        for path in ("bedrock", "jumpstart"):
            name = f"{NAME}-{path}"
            seen = await self.api.until(name, lambda found: found["status"] in ("serving", "failed"), PATIENCE)
            await asyncio.sleep(2.1)
            answers = [await self.traffic.ask(name, stream=stream) for stream in (False, True)]
            targets = {found.target for found in answers if found}
            served = seen["status"] == "serving" and targets == {path}
            self.ledger.expect(f"{path} answers, whole and streaming", served, f"{seen['status']}, {targets}")

    async def count_the_cost(self) -> None:
        usd: dict[str, float | None] = {}
        tokens: dict[str, int] = {}
        for name in (NAME, f"{NAME}-jumpstart", f"{NAME}-bedrock", "big-llama"):
            cost = (await self.api.deployment(name))["cost"]
            for path, part in cost["by_path"].items():
                known, more = usd.get(path, 0.0), part["usd"]
                usd[path] = None if known is None or more is None else known + more
                tokens[path] = tokens.get(path, 0) + part["tokens"]
        self.ledger.usd_per_million_tokens = {
            path: None if total is None or not tokens[path] else total / tokens[path] * 1e6
            for path, total in sorted(usd.items())
        }
        priced = {path for path, value in self.ledger.usd_per_million_tokens.items() if value}
        self.ledger.expect("Every path has a realised price", priced == {"bedrock", "fleet", "jumpstart"}, f"{priced}")

    async def retire_everything(self) -> None:
        chapter("8. DELETE retires everything")
        names = (NAME, f"{NAME}-jumpstart", f"{NAME}-bedrock", "big-llama")
        statuses = [(await self.api.call("DELETE", f"/deployments/{name}"))[0] for name in names]
        self.ledger.expect("DELETE answers 202", set(statuses) == {202}, str(statuses))
        for name in names:
            seen = await self.api.until(name, lambda found: found.get("status", "retired") == "retired", PATIENCE)
            retired = seen.get("status", "retired") == "retired"
            self.ledger.expect(f"{name} is retired", retired, seen.get("status_reason", "gone"))
        self.ledger.leftovers = await self.cloud.leftovers()
        self.ledger.expect("No tagged resource is left", not self.ledger.leftovers, str(self.ledger.leftovers))
        denied = await self.cloud.denied_calls()
        self.ledger.expect("No AWS call was beyond its role's policies", not denied, str(denied[:3]))

    async def hold_against_the_bill(self) -> None:
        chapter("9. The day's bill, calculated by hand from what the simulated AWS metered")
        await hold_costs_against_the_meter(self.api, self.cloud, self.ledger)

    def _expect_all(self, when: str, demanded: dict[str, bool]) -> None:
        """Expect one contract: what may be asked does not depend on who happens to answer."""
        missing = [name for name, came in demanded.items() if not came]
        detail = f"without {', '.join(missing)}" if missing else ", ".join(demanded)
        self.ledger.expect(f"Agents get what they ask for {when}", not missing, detail)
