"""Simulates the order of work in one server and prints what each policy gives: goodput, waits, shares.

One worker runs batches, one thread prepares windows; times are a server's that has 9,000 windows of 16 frames a second
(mn10, one core). `turns` is first come, first prepared, then window by window over all calls. `left` is the policy of
server/batching/batch_queue.h; its parts can be turned off one by one to see what each is for.

  python order_simulation.py [overload | callers | own | long | weights | parts | all]

What it showed, capacity C, calls of 2 s of audio (41 windows) unless said otherwise:
- Overload, 2 C, deadlines 0.5, 1, 2 s: goodput 2, 5 and 20 % of C with turns; 100 % each with `left`, no call that was
  let in expired.
- A 1 s call beside a flood of another caller or of its own (hour-long calls, 32 x 5 minutes): p99 3.5 to 5.4 s with
  turns, 34 to 41 ms with `left`; alone 3 ms, a full batch 29 ms. Without `doubling`, 57 ms.
- Calls of 1, 41 and 2,000 windows at 2 C, deadlines 1 and 3 s: 99 % of C. Without `protect` 76 and 87 %: long calls are
  let in, passed and expire. To refuse the newcomer instead of standing it behind gave 64 and 86 %. First come, first
  served gives 99 % in work, but answers 55 % of the calls instead of 95 % at 3 s. With a margin of 1, 64 and 80 %.
- Ageing by position (work left less 10 times the wait) ends long calls too, but then holds short ones up for as long as
  the long one has left: 739 ms. A tenth for the oldest call does not, and 2 s of work end after 21 s beside 1.2 C of
  small calls.
"""

import argparse
import heapq
import random
from dataclasses import dataclass, field

MOST = 256                       # Windows in a batch.
BATCH, WINDOW = 0.0004, 0.00011  # Seconds: a batch of n windows takes BATCH + n * WINDOW.
PREPARE = 0.00002                # Seconds of preparation per window.
SLICE = 0.004                    # Seconds of preparation at a time.


@dataclass
class Policy:
    """What `left` is made of."""
    turns: bool = False       # Window by window over all calls, no admission by time: the rest does not count.
    fair: bool = True         # Callers share by cost.
    first_come: bool = False  # Within a caller; else the call with the least work left.
    oldest: float = 0.1       # Of a caller's work, what its oldest call gets before the others.
    doubling: bool = True     # A batch with which calls end is at most doubled by windows of calls that do not; of
                              # callers likewise. Up to 16 times BATCH it may have any.
    queue_time: float = 1     # Seconds of work ahead of a call.
    margin: float = 0.8       # Of the time to its deadline, what a call may be expected to take to be let in.
    protect: bool = True      # A call passes only those that still end within the margin then.
    credit: int = 2 * MOST    # Windows of a call that are prepared and wait.


@dataclass(eq=False)
class Call:
    caller: str
    windows: int
    due: float                  # When it comes.
    patience: float = 1e9       # Seconds from then to its deadline.
    network: int = 0
    left: int = 0               # Windows that no batch has taken.
    ready: int = 0              # Of these, prepared.
    rank: int = 0
    floor: float = 0            # Of its key.
    ended: float = 0
    outcome: str = "sent"

    @property
    def deadline(self):
        return self.due + self.patience


@dataclass
class Caller:
    weight: float = 1
    served: float = 0     # Virtual time: seconds of work over weight.
    prepared: float = 0   # Likewise, of preparation.
    owed: float = 0       # Seconds to its oldest call.


@dataclass
class Server:
    policy: Policy
    slowness: tuple = (1, 1)                # Of each network.
    weights: dict = field(default_factory=dict)
    now: float = 0
    callers: dict = field(default_factory=dict)
    calls: list = field(default_factory=list)  # Let in, with work left.
    clock: float = 0                           # Virtual time of who was served last; of preparation below.
    prepare_clock: float = 0
    busy_until: float = 0
    preparing_until: float = 0
    network_served: list = field(default_factory=lambda: [0, 0])
    computed: int = 0
    sequence: int = 0

    def cost(self, windows, network):
        return windows * (WINDOW + BATCH / MOST) * self.slowness[network]

    def key(self, call):
        if self.policy.turns or self.policy.first_come:
            return (0, call.rank)
        return (max(self.cost(call.left, call.network), call.floor), call.rank)

    def backlog(self, calls):
        return sum(self.cost(c.left, c.network) for c in calls)

    def with_others(self, call, own):
        """Seconds until `own` seconds of the caller's work on the call's network have run: others have their share."""
        mine = [c for c in self.calls if c.caller == call.caller]
        for network in range(len(self.slowness)):
            if network != call.network:
                own += min(own, self.backlog(c for c in mine if c.network == network))
        if not self.policy.fair:
            return own
        others = {}
        for c in self.calls:
            if c.caller != call.caller:
                others[c.caller] = others.get(c.caller, 0) + self.cost(c.left, c.network)
        weight = self.callers[call.caller].weight
        return own + sum(min(b, own * self.callers[o].weight / weight) for o, b in others.items())

    def admit(self, call):
        """Whether the call is let in."""
        self.sequence += 1
        call.left, call.rank = call.windows, self.sequence
        caller = self.callers.setdefault(call.caller, Caller(self.weights.get(call.caller, 1)))
        if not self.policy.turns:
            rivals = sorted((c for c in self.calls if c.network == call.network
                             and (c.caller == call.caller or not self.policy.fair)), key=self.key)
            own, total = self.cost(call.left, call.network), self.backlog(rivals)
            running = max(0, self.busy_until - self.now)
            # It passes only those that still end in time then.
            if self.policy.protect:
                others = self.with_others(call, total + own) - total - own
                before = self.now + running + others + own
                for c in rivals:
                    before += self.cost(c.left, c.network)
                    if self.key(c) > self.key(call) and before > c.due + self.policy.margin * c.patience:
                        call.floor = self.key(c)[0]
            ahead = self.backlog(c for c in rivals if self.key(c) < self.key(call))
            time = running + self.with_others(call, ahead + own)
            start = running + self.with_others(call, ahead)
            if start > self.policy.queue_time or time > self.policy.margin * call.patience:
                call.outcome = "refused"
            if call.outcome == "refused":
                return False
        if not any(c.caller == call.caller for c in self.calls):
            caller.served = max(caller.served, self.clock)
            caller.prepared = max(caller.prepared, self.prepare_clock)
        if not any(c.network == call.network for c in self.calls):
            waiting = [self.network_served[c.network] for c in self.calls]
            least = min(waiting, default=0)
            self.network_served[call.network] = max(self.network_served[call.network], least)
        self.calls.append(call)
        return True

    def order(self, calls, account):
        """The calls by turn: callers by what they have had, then by key."""
        if not self.policy.fair or self.policy.turns:
            return sorted(calls, key=self.key)
        return sorted(calls, key=lambda c: (getattr(self.callers[c.caller], account), self.key(c)))

    def prepare(self):
        """Prepares a slice of the next call that has credit. False: none has."""
        room = [c for c in self.calls if c.left > c.ready and (self.policy.turns or c.ready < self.policy.credit)]
        if not room:
            return False
        call = self.order(room, "prepared")[0]
        count = call.left - call.ready
        if not self.policy.turns:
            count = min(count, int(SLICE / PREPARE), self.policy.credit - call.ready)
        seconds = count * PREPARE
        caller = self.callers[call.caller]
        self.prepare_clock = caller.prepared
        caller.prepared += seconds / caller.weight
        self.preparing_until = self.now + seconds
        self.preparing = (call, count)
        return True

    def take(self):
        """A batch as [[call, windows]], or nothing."""
        waiting = [c for c in self.calls if c.ready]
        if not waiting:
            return []
        first = self.order(waiting, "served")[0]
        network = min((c.network for c in waiting if not self.policy.fair or c.caller == first.caller),
                      key=lambda n: (self.network_served[n], n))
        waiting = [c for c in waiting if c.network == network]
        batch, room = {}, MOST
        if self.policy.turns:
            waiting.sort(key=lambda c: (c.deadline, c.rank))
            while room and waiting:
                for c in waiting[:room]:
                    batch[c] = batch.get(c, 0) + 1
                    c.ready -= 1
                    room -= 1
                waiting = [c for c in waiting if c.ready]
        else:
            queues = {}
            for c in sorted(waiting, key=self.key):
                queues.setdefault(c.caller if self.policy.fair else first.caller, []).append(c)
            heap = [(self.callers[k].served, k) for k in queues]
            heapq.heapify(heap)
            call_ends = caller_ends = False
            longs = 0
            while room and heap:
                served, k = heap[0]
                caller, queue = self.callers[k], queues[k]
                oldest = min(queue, key=lambda c: c.rank)
                c = oldest if caller.owed > 0 else queue[0]
                count = 1 if len(heap) > 1 or caller.owed > 0 else min(room, c.ready)
                this_call, this_caller = c.left - batch.get(c, 0) <= room, sum(c.ready for c in queue) <= room
                if self.policy.doubling and (call_ends and not this_call or caller_ends and not this_caller):
                    taken = MOST - room
                    count = min(count, max(taken - 2 * longs + int(BATCH / WINDOW), int(15 * BATCH / WINDOW) - taken))
                    if count <= 0:
                        break
                    longs += count
                call_ends, caller_ends = call_ends or this_call, caller_ends or this_caller
                batch[c] = batch.get(c, 0) + count
                c.ready -= count
                room -= count
                cost = self.cost(count, network)
                caller.owed += self.policy.oldest * cost
                if c is oldest:
                    caller.owed = max(caller.owed - cost, -0.1)
                if not c.ready:
                    queue.remove(c)
                self.clock = max(self.clock, served)
                caller.served += cost / caller.weight
                if queue:
                    heapq.heapreplace(heap, (caller.served, k))
                else:
                    heapq.heappop(heap)
        self.network_served[network] += self.cost(MOST - room, network)
        for c, count in batch.items():
            c.left -= count
        self.computed += MOST - room
        self.busy_until = self.now + (BATCH + WINDOW * (MOST - room)) * self.slowness[network]
        return list(batch.items())


def run(policy, arrivals, seconds, again=None, **options):
    """Runs the calls, in order of time. again(call, now): the call that its caller sends when that one has ended."""
    server, sent = Server(policy, **options), []
    server.preparing, running = None, []
    coming = [(c.due, i, c) for i, c in enumerate(arrivals)]
    heapq.heapify(coming)
    number = len(coming)

    def end(call, outcome):
        nonlocal number
        call.outcome, call.ended = outcome, server.now
        if again and (more := again(call, server.now)):
            number += 1
            heapq.heappush(coming, (more.due, number, more))

    while server.now < seconds:
        now = server.now
        if running and server.busy_until <= now:
            for c, _ in running:
                if not c.left and c.outcome == "sent":
                    end(c, "done" if now <= c.deadline else "expired")
            running = []
        if server.preparing and server.preparing_until <= now:
            call, count = server.preparing
            call.ready += min(count, call.left)
            server.preparing = None
        while coming and coming[0][0] <= now:
            call = heapq.heappop(coming)[2]
            sent.append(call)
            if not server.admit(call):
                end(call, "refused")
        for c in [c for c in server.calls if c.deadline <= now]:
            c.left = c.ready = 0
            end(c, "expired")
        server.calls = [c for c in server.calls if c.left]
        if not running:
            running = server.take()
            server.calls = [c for c in server.calls if c.left]
        if not server.preparing:
            server.prepare()
        times = [coming[0][0]] if coming else []
        times += [server.busy_until] if running else []
        times += [server.preparing_until] if server.preparing else []
        if not times:
            break
        server.now = max(min(times), now + 1e-9)
    return server, sent


def quantile(values, q):
    values = sorted(values)
    return values[min(len(values) - 1, int(q * len(values)))] if values else float("nan")


def figures(server, sent, seconds):
    done = [c for c in sent if c.outcome == "done"]
    let_in = [c for c in sent if c.outcome in ("done", "expired")]
    useful = sum(c.windows for c in done)
    most = seconds / (WINDOW + BATCH / MOST)
    return (f"goodput {useful / most:4.0%} of capacity, useful {useful / max(1, server.computed):4.0%}, "
            f"refused {sum(c.outcome == 'refused' for c in sent) / len(sent):4.0%}, let in and expired "
            f"{sum(c.outcome == 'expired' for c in let_in) / max(1, len(let_in)):5.1%}, "
            f"p99 {1e3 * quantile([c.ended - c.due for c in done], 0.99):.0f} ms")


def poisson(load, windows, patience, seconds):
    """Calls of `windows` windows (or of sizes with weights) at `load` times the capacity."""
    rng, due = random.Random(1), 0.0
    sizes = windows if isinstance(windows, dict) else {windows: 1}
    mean = sum(w * p for w, p in sizes.items()) / sum(sizes.values())
    while True:
        due += rng.expovariate(load / (mean * (WINDOW + BATCH / MOST)))
        if due > seconds:
            return
        yield Call("A", rng.choices(list(sizes), list(sizes.values()))[0], due, patience)


POLICIES = {"turns": Policy(turns=True, fair=False), "left": Policy()}


def overload():
    for windows, deadlines in ((41, (0.5, 1, 2)), (1, (0.5,))):
        for deadline in deadlines:
            for name, policy in POLICIES.items():
                seconds = 3 if windows == 1 else 15
                server, sent = run(policy, poisson(2, windows, deadline, seconds), seconds)
                what = f"2 C of {windows} windows, deadline {deadline} s, {name}"
                print(f"{what}: {figures(server, sent, seconds)}", flush=True)


FLOODS = {  # What the flooder sends again as soon as it is answered, or all at once every 2 s.
    "4 hours of audio": lambda caller: [Call(caller, 72000, 0.0) for _ in range(4)],
    "32 x 5 minutes": lambda caller: [Call(caller, 6000, 0.0) for _ in range(32)],
    "256 small calls at once": lambda caller: [Call(caller, 19, 2.0 * i) for i in range(30) for _ in range(256)],
    "5 minutes of a network 4 x slower": lambda caller: [Call(caller, 6000, 0.0, network=1) for _ in range(32)],
}


def beside(flooder):
    """A call of 1 s (20 windows) of B beside a flood of `flooder`."""
    def again(call, now):
        return Call(call.caller, call.windows, now + 0.05 * (call.outcome == "refused"), network=call.network) \
            if call.windows > 20 else None

    seconds = 60
    for name, policy in POLICIES.items():
        for what, flood in {"nothing": lambda _: [], **FLOODS}.items():
            probes = [Call("B", 20, 0.05 + 0.21 * i) for i in range(int(seconds / 0.21))]
            calls = sorted(flood(flooder) + probes, key=lambda c: c.due)
            _, sent = run(policy, calls, seconds, again, slowness=(1, 4))
            short = [c for c in sent if c.windows == 20]
            times = [1e3 * (c.ended - c.due) for c in short if c.outcome == "done"]
            print(f"a 1 s call of B beside {what} of {flooder}, {name}: p50 {quantile(times, 0.5):.0f}, p99 "
                  f"{quantile(times, 0.99):.0f} ms, answered {len(times)} of {len(short)}, refused "
                  f"{sum(c.outcome == 'refused' for c in short)}", flush=True)


def long_calls():
    """A caller's long calls beside more small ones than the server can do: whether they end."""
    for name, policy in {**POLICIES, "left without the oldest's share": Policy(oldest=0)}.items():
        seconds = 60
        calls = list(poisson(1.2, {1: 60, 41: 40}, 1e9, seconds)) + [Call("A", 18000, 1.0)]
        _, sent = run(policy, sorted(calls, key=lambda c: c.due), seconds)
        long = next(c for c in sent if c.windows == 18000)
        ended = f"done after {long.ended - long.due:.1f} s" if long.outcome == "done" else "not done"
        print(f"2 s of work beside 1.2 C of small calls, {name}: {ended}", flush=True)


def weights():
    """What three callers of weights 1, 1 and 3 get who always have work."""
    for name, policy in POLICIES.items():
        calls = [Call(k, w, 0.0) for k, w, n in (("A", 19, 64), ("B", 6000, 2), ("C", 41, 64)) for _ in range(n)]

        def again(call, now):
            return Call(call.caller, call.windows, now + 0.05 * (call.outcome == "refused"))

        _, sent = run(policy, calls, 20, again, weights={"C": 3})
        work = {k: sum(c.windows for c in sent if c.caller == k and c.outcome == "done") for k in "ABC"}
        print(name, {k: f"{w / sum(work.values()):.0%}" for k, w in work.items()}, flush=True)


def parts():
    """What each part is for."""
    for what, policy in {"all": Policy(), "first come": Policy(first_come=True), "no protection": Policy(protect=False),
                         "no oldest": Policy(oldest=0), "no doubling": Policy(doubling=False),
                         "queue time 100 s": Policy(queue_time=100), "margin 1": Policy(margin=1)}.items():
        for deadline in (1, 3):
            server, sent = run(policy, poisson(2, {1: 90, 41: 70, 2000: 3}, deadline, 15), 15)
            print(f"{what}: 2 C of 1, 41 and 2000 windows, deadline {deadline} s: {figures(server, sent, 15)}, "
                  f"calls {sum(c.outcome == 'done' for c in sent) / len(sent):.0%}", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("what", nargs="?", default="all")
    what = parser.parse_args().what
    shows = {"overload": overload, "callers": lambda: beside("A"), "own": lambda: beside("B"), "long": long_calls,
             "weights": weights, "parts": parts}
    for name, show in shows.items():
        if what in (name, "all"):
            show()
