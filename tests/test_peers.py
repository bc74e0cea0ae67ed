"""The verdict over other projects: when ours are as near as a peer at its end."""

from typing import Any

from script import script

verdict = script("benchmarks/peers/verdict.py")


def record(
    peer: str, minutes: float, distances: dict[str, float], error: float = 0.001, **others: Any
) -> dict[str, Any]:
    return {
        "peer": peer,
        "setting": "glyphs",
        "seed": 0,
        "run": f"{peer}-{minutes:g}",
        "drawn": "no-caption",
        "minutes": minutes,
        "budget_minutes": minutes,
        "kernel_distance": {
            name: {"value": value, "error": error} for name, value in distances.items()
        },
    } | others


def ours(values: dict[float, float], **others: Any) -> list[dict[str, Any]]:
    return [record(verdict.OURS, at, {"random": value}, **others) for at, value in values.items()]


def minutes(records: list[dict[str, Any]], extractor: str = "random") -> Any:
    (end,) = verdict.ends(records)
    (way,) = end["ours"].values()
    return way[extractor]


def test_the_shortest_run_that_is_as_near_counts() -> None:
    peer = [record("other", 20, {"random": 0.05})]
    assert minutes([*peer, *ours({1: 0.3, 2: 0.049, 5: 0.02})]) == 2
    assert minutes([*peer, *ours({1: 0.3, 2: 0.2})]) is None


def test_one_lucky_run_is_no_verdict_and_one_within_its_error_does_not_undo_it() -> None:
    peer = [record("other", 20, {"random": 0.05})]
    # Five minutes are farther by 100 errors: what two minutes reached was luck.
    assert minutes([*peer, *ours({2: 0.049, 5: 0.15, 20: 0.01})]) == 20
    # 1.9 joint errors: sqrt(2) * 0.001 each.
    assert minutes([*peer, *ours({2: 0.049, 5: 0.05 + 1.9 * 2**0.5 * 0.001, 20: 0.01})]) == 2


def test_all_extractors_must_be_as_near_for_the_last_word() -> None:
    peer = [record("other", 20, {"random": 0.05, "imagenet": 0.3})]
    runs = [
        record(verdict.OURS, 1, {"random": 0.04, "imagenet": 0.9}),
        record(verdict.OURS, 5, {"random": 0.03, "imagenet": 0.2}),
    ]
    assert minutes([*peer, *runs]) == 1
    assert minutes([*peer, *runs], "imagenet") == 5
    assert minutes([*peer, *runs], verdict.ALL) == 5


def test_a_peers_end_is_its_best_at_the_end_of_its_longest_runs() -> None:
    same = {"run": "best", "budget_minutes": 20}
    peer = [
        record("other", 5, {"random": 0.01}, run="short"),  # not its full time
        record("other", 10, {"random": 0.02}, **same),  # on the way
        record("other", 20, {"random": 0.06}, **same),
        record("other", 20, {"random": 0.05}, **same, drawn="another sampler"),
    ]
    (end,) = verdict.ends([*peer, *ours({1: 0.055, 2: 0.04})])
    assert end["nearest"]["random"]["value"] == 0.05
    assert end["nearest"]["random"]["drawn"] == "another sampler"
    (way,) = end["ours"].values()
    assert way["random"] == 2


def test_changed_recipes_and_seeds_are_ways_of_their_own() -> None:
    peer = [record("other", 20, {"random": 0.05})]
    changed = ours({5: 0.9}, setting="glyphs batch_size=32") + ours({5: 0.9}, seed=1)
    (end,) = verdict.ends([*peer, *ours({1: 0.04, 2: 0.03}), *changed])
    assert {way: at["random"] for way, at in end["ours"].items()} == {
        "glyphs, no-caption, seed 0": 1,
        "glyphs batch_size=32, no-caption, seed 0": None,
        "glyphs, no-caption, seed 1": None,
    }
