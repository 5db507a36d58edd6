"""An autoencoder of points near a curved surface; two groups of parameters, gradients of two batches for one step."""

import glassgrad as gg
from glassgrad import nn, optim
from glassgrad.nn import functional as F

gg.manual_seed(0)

mixing = gg.randn(3, 16) / 3**0.5
hidden = gg.randn(640, 3)
points = gg.tanh(hidden @ mixing) + 0.02 * gg.randn(640, 16)
train_points, test_points = points[:512], points[512:]


class Autoencoder(nn.Module):
    def __init__(self, code=3, width=32):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(16, width), nn.ReLU(), nn.Linear(width, code))
        self.decoder = nn.Sequential(nn.Linear(code, width), nn.ReLU(), nn.Linear(width, 16))

    def forward(self, x):
        code = self.encoder(x)
        return self.decoder(code)


model = Autoencoder()
groups = [{"params": model.encoder.parameters(), "lr": 0.01}, {"params": model.decoder.parameters(), "lr": 0.005}]
optimizer = optim.Adam(groups, betas=(0.9, 0.99))

for epoch in range(24):
    order = gg.randperm(512)
    optimizer.zero_grad()
    for number in range(16):
        batch = train_points[order[number * 32 : number * 32 + 32]]
        loss = F.mse_loss(model(batch), batch)
        (loss / 2).backward()
        if number % 2 == 1:
            optimizer.step()
            optimizer.zero_grad()

model.eval()
with gg.no_grad():
    print("held out:", F.mse_loss(model(test_points), test_points).item())
