"""Will a patient come back? Visits through an LSTM beside facts that stay, two losses, two batches for one step."""

import glassgrad as gg
from glassgrad import nn, optim
from glassgrad.nn import functional as F

gg.manual_seed(0)

HYPER = dict(hidden=24, lr=1e-2, batch_size=24, accumulate=2, epochs=12, aux_weight=0.3)


def cohort(count, visits=8):
    age = gg.randn(count, 2)
    slope = gg.randn(count, 1)
    time = gg.arange(visits).float() / visits - 0.5
    pulse = slope * 2 * time + 0.3 * gg.randn(count, visits)
    weight = 0.8 * age[:, :1] + 0.3 * gg.randn(count, visits)
    series = gg.stack([pulse, weight, gg.randn(count, visits)], dim=2)
    risk = 1.5 * slope[:, 0] + age[:, 0] - age[:, 1]
    return series, age, (risk > 0).float(), slope[:, 0]


class RiskModel(nn.Module):
    def __init__(self, hidden):
        super().__init__()
        self.encoder = nn.LSTM(3, hidden, batch_first=True)
        self.static = nn.Sequential(nn.Linear(2, 12), nn.ReLU())
        self.fuse = nn.Linear(hidden + 12, 24)
        self.dropout = nn.Dropout(0.1)
        self.risk = nn.Linear(24, 1)
        self.trend = nn.Linear(hidden, 1)

    def forward(self, series, static):
        _, (h, _) = self.encoder(series)
        h = h[-1]
        both = gg.cat([h, self.static(static)], dim=1)
        both = self.dropout(F.relu(self.fuse(both)))
        return self.risk(both).squeeze(1), self.trend(h).squeeze(1)


series, static, label, slope = cohort(600)
test_series, test_static, test_label, test_slope = cohort(300)

model = RiskModel(HYPER["hidden"])
bce = nn.BCEWithLogitsLoss()
optimizer = optim.Adam(model.parameters(), lr=HYPER["lr"])

for epoch in range(HYPER["epochs"]):
    model.train()
    order = gg.randperm(600)
    optimizer.zero_grad()
    for number in range(600 // HYPER["batch_size"]):
        rows = order[number * HYPER["batch_size"] : (number + 1) * HYPER["batch_size"]]
        logit, trend = model(series[rows], static[rows])
        loss = bce(logit, label[rows])
        loss = loss + HYPER["aux_weight"] * F.mse_loss(trend, slope[rows])
        (loss / HYPER["accumulate"]).backward()
        if (number + 1) % HYPER["accumulate"] == 0:
            optimizer.step()
            optimizer.zero_grad()

model.eval()
with gg.no_grad():
    logit, trend = model(test_series, test_static)
    print("accuracy:", ((logit > 0).float() == test_label).float().mean().item())
    print("held out:", bce(logit, test_label).item())
