"""What is said of a curve's knee is true of made-up curves whose knee is known."""

import copy

import pytest
from small_report import leaf, small_report

from imagespace.evaluation.knee import as_good, knees, sentence
from imagespace.evaluation.metrics import Measured


def curve(values, error):
    return [(at, Measured(value, error)) for at, value in values.items()]


def test_as_good_is_within_twice_the_joint_error_of_the_best():
    # Twice sqrt(0.3^2 + 0.4^2) is 1.
    best, far = (28.0, Measured(5.0, 0.3)), (4.0, Measured(9.0, 0.4))
    for value, is_good in ((5.99, True), (6.01, False)):
        points = [far, (12.0, Measured(value, 0.4)), best]
        assert as_good(points, lower_is_better=True) == ({12, 28} if is_good else {28})
    for value, is_good in ((4.01, True), (3.99, False)):
        points = [(12.0, Measured(value, 0.4)), best, (40.0, Measured(0.0, 0.4))]
        assert as_good(points, lower_is_better=False) == ({12, 28} if is_good else {28})


def test_a_share_of_none_is_as_sure_as_its_interval():
    """Of 20 none and of 20 two: the binomial error of the former is 0, its interval is not."""
    none = Measured(0.0, 0.0, interval=(0.0, 0.161))
    two = Measured(0.1, 0.067, interval=(0.028, 0.301))
    assert as_good([(1.0, none), (2.0, two)], lower_is_better=False) == {1, 2}


def report_of(curves, **sampling):
    judges = {name: {"follows": {"figure": "radical"}} for name in curves}
    return {"sampling": sampling, "curves": curves, "curve_judges": judges}


def points(distances, follows, error=0.001):
    return [
        {"at": at, "kernel_distance": leaf(d, error), "follows": leaf(f, error)}
        | {"seconds_per_picture": 0.01 * at}
        for (at, d), f in zip(distances.items(), follows, strict=True)
    ]


def test_the_knee_of_steps_is_the_least_that_is_as_good_in_both_figures():
    distances = {4: 0.5, 12: 0.0112, 20: 0.0111, 28: 0.011, 64: 0.0109}
    # Twelve steps are near enough, but follow the prompt less.
    report = report_of({"steps": points(distances, [0.1, 0.2, 0.4, 0.401, 0.4])}, num_steps=28)
    knee = knees(report)["steps"]
    assert (knee.as_good, knee.own, knee.own_is_as_good) == ([20, 28, 64], 28, True)
    assert sentence("steps", knee) == (
        "The least steps that are as good as the best in kernel distance and radical: 20; "
        "the model's own: 28."
    )
    report["sampling"]["num_steps"] = 4
    assert sentence("steps", knees(report)["steps"]).endswith(
        ": 20; the model's own: 4, which is not as good."
    )
    report["sampling"]["num_steps"] = 24
    assert sentence("steps", knees(report)["steps"]).endswith("own: 24, not measured.")


def test_the_knee_of_guidance_is_a_range_as_good_in_both_figures():
    distances = {1.0: 0.02, 1.5: 0.011, 2.0: 0.0105, 3.0: 0.0115, 4.0: 0.03}
    report = report_of({"guidance": points(distances, [0.1, 0.2, 0.39, 0.391, 0.4], 0.005)})
    report["sampling"] = {"guidance": 3.0}
    knee = knees(report)["guidance"]
    assert knee.as_good == [2, 3]
    assert sentence("guidance", knee) == (
        "The guidance that is as good as the best in kernel distance and radical: 2, 3; "
        "the model's own: 3."
    )
    # Where fidelity is bought with following, no weight has both.
    torn = points({1.0: 0.01, 2.0: 0.02, 4.0: 0.04}, [0.1, 0.2, 0.4])
    knee = knees(report_of({"guidance": torn}, guidance=2.0))["guidance"]
    assert knee.as_good == []
    assert knee.figures == {"kernel distance": [1], "radical": [4]}
    assert sentence("guidance", knee) == (
        "No guidance measured is as good as the best in kernel distance and radical at once "
        "(kernel distance 1; radical 4); the model's own: 2, which is not as good."
    )


def test_what_costs_time_or_has_names_has_no_knee():
    assert list(knees(small_report())) == ["steps"]  # but neither the samplers nor the training
    report = small_report()
    report["curves"]["steps"] = [{"at": 4, "seconds_per_picture": 0.02}]
    report["curves"]["guidance"] = [{"at": "much", "kernel_distance": leaf(0.1, 0.1)}]
    assert knees(report) == {}


@pytest.mark.parametrize("missing", ["kernel_distance", "follows"])
def test_a_point_that_lacks_a_figure_is_not_called_good(missing):
    of = points({4: 0.0109, 12: 0.0112, 20: 0.0111}, [0.4, 0.4, 0.4])
    lacking = copy.deepcopy(of)
    del lacking[0][missing]
    assert knees(report_of({"steps": of}, num_steps=4))["steps"].as_good == [4, 12, 20]
    knee = knees(report_of({"steps": lacking}, num_steps=4))["steps"]
    assert (knee.as_good, knee.own_is_as_good) == ([12, 20], None)
