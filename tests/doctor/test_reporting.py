"""What a diagnosis hands to the views: the findings, what was examined, the user's lines as they are written."""

import pytest

import glassgrad as gg
from glassgrad import nn
from glassgrad.doctor.script import examine
from glassgrad.view import json as view_json

SCRIPT = """
import glassgrad as gg
from glassgrad import nn, optim

gg.manual_seed(0)
x, y = gg.randn(32, 16), gg.randint(0, 2, (32,))
layers = [each for _ in range(8) for each in (nn.Linear(16, 16), nn.Sigmoid())]


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.never, self.body = nn.Linear(2, 2), nn.Sequential(*layers, nn.Linear(16, 2))

    def forward(self, x):
        return self.body(x)


model = Net()
optimizer = optim.SGD(model.parameters(), lr=0.1)
for step in range(6):
    optimizer.zero_grad()
    loss = nn.functional.cross_entropy(model(x), y)
    loss.backward()
    optimizer.step()
"""


@pytest.fixture(scope="module")
def diagnosed():
    gg.manual_seed(0)
    layers = [each for _ in range(8) for each in (nn.Linear(16, 16), nn.Sigmoid())]
    net = nn.Sequential(*layers, nn.Linear(16, 1))
    batch = gg.randn(32, 16), gg.randn(32, 1)
    return gg.doctor.check(net, nn.MSELoss(), batch, optimizer=gg.optim.SGD(net.parameters(), lr=0.1), steps=30)


def test_a_diagnosis_gives_what_was_examined(diagnosed):
    report = diagnosed.report
    assert report.findings == tuple(diagnosed.findings)
    assert report.watched == ()
    assert report.parameters == 8 * (16 * 16 + 16) + 17
    assert (report.model, report.optimizer, report.batches, report.steps) == ("Sequential", "SGD", 1, 30)
    assert len(report.losses) == 31, "before each step, and after the last"
    assert "numbers that are not finite" in report.looked_for
    assert set(report.looked_for) <= set(gg.doctor.RULES)
    line = diagnosed.findings[0].where.line
    assert "gg.doctor.check(net" in report.sources[line], "the user's line as it is written"


def test_a_diagnosis_is_shown_and_written(diagnosed, tmp_path, capsys):
    diagnosed.show()
    said = capsys.readouterr().out
    assert "vanishing gradients" in said
    assert "\x1b" not in said, "the standard output is a pipe here"
    page = diagnosed.html(tmp_path / "page.html", title="Eight sigmoids").read_text(encoding="utf-8")
    assert "<title>Eight sigmoids</title>" in page
    assert diagnosed.report.title == "", "the title is that page's alone"
    read = view_json.read(diagnosed.json(tmp_path / "page.json"))
    assert read == diagnosed.report
    assert "vanishing gradients" in diagnosed._repr_html_()


def test_a_scripts_report_has_its_name_its_losses_and_its_error(tmp_path):
    path = tmp_path / "train.py"
    path.write_text(SCRIPT)
    report = examine(path, trial=10).report
    assert report.title == "The doctor on train.py"
    assert len(report.watched) == 6
    assert report.stopped == ""
    path.write_text(SCRIPT + 'raise ValueError("first line\\nsecond line")')
    assert examine(path, trial=10).report.stopped == "ValueError: first line"


def test_faults_come_before_notes_in_the_report(tmp_path):
    path = tmp_path / "train.py"
    path.write_text(SCRIPT)
    found = examine(path, trial=10)
    weights = [each.weight for each in found.report.findings]
    assert set(weights) == {"fault", "note"}
    assert weights == sorted(weights)
    assert sorted(map(id, found.report.findings)) == sorted(map(id, found.findings))
