import json
import os
import sys
import time

from tests.simulation import race
from tests.simulation.scenarios import CHOSEN_ON, HELD_OUT

CACHE = "/tmp/oracle.json"
cache = json.load(open(CACHE)) if os.path.exists(CACHE) else {}


def oracle(s, n, seed):
    k = f"{s.name}|{n}|{seed}"
    if k not in cache:
        cache[k] = race.oracle(s, n, seed).seconds
    return cache[k]


def main():
    which = sys.argv[1]
    sizes = [int(x) for x in sys.argv[2].split(",")]
    seeds = int(sys.argv[3])
    only = sys.argv[4:]
    scen = CHOSEN_ON if which == "chosen" else HELD_OUT
    for n in sizes:
        effs = []
        wastes = []
        for s in scen:
            if only and not any(o in s.name for o in only):
                continue
            e = []
            w = []
            st = []
            t = time.time()
            os_ = []
            for seed in range(1, seeds + 1):
                o = oracle(s, n, seed)
                r = race.run(s, n, seed, limit=50, auto=True)
                e.append(o / r.seconds)
                w.append(r.waste)
                st.append(r.settled)
                os_.append(o)
            m = sum(e) / len(e)
            effs.append(m)
            wastes.append(sum(w) / len(w))
            print(
                f"{n:5} {s.name:45} oracle {sum(os_) / len(os_):7.1f} eff {m:5.1%} (low {min(e):4.0%}) waste {wastes[-1]:.3f} settled {sum(st) / len(st):5.0f} [{(time.time() - t) / seeds:.2f}s]",
                flush=True,
            )
        print(
            f"=== {n}: mean {sum(effs) / len(effs):.1%} worst {min(effs):.1%} waste {sum(wastes) / len(wastes):.3f} max {max(wastes):.3f}"
        )
    json.dump(cache, open(CACHE, "w"))


main()
