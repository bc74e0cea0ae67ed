"""Minutes of training are those that the run itself has logged."""

import json

from imagespace.evaluation.training_minutes import training_minutes


def test_minutes_are_those_of_the_line_of_so_many_pictures(tmp_path):
    lines = [
        json.dumps({"step": 0, "num_images": 0, "elapsed_s": 0.0, "t=0.1": 1.0}),
        json.dumps({"step": 1, "num_images": 16, "loss": 5.9, "elapsed_s": 30.0}),
        json.dumps({"step": 2, "num_images": 32, "loss": 5.2, "elapsed_s": 90.0}),
        json.dumps({"step": 2, "t=0.1": 0.8}),  # an evaluation after the last step
        '{"step": 3, "num_im',  # cut by a full disk
        "[1]",
    ]
    (tmp_path / "metrics.jsonl").write_text("\n".join(lines) + "\n")
    assert training_minutes(tmp_path) == {0: 0.0, 16: 0.5, 32: 1.5}


def test_what_is_no_run_folder_has_none(tmp_path):
    assert training_minutes(tmp_path) == {}
    assert training_minutes(tmp_path / "weights.safetensors") == {}
    assert training_minutes("glyphs") == {}
