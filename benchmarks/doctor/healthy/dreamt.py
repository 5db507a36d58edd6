"""Digits through a narrow code and back: a convolutional variational autoencoder with groups of parameters."""

from sklearn.datasets import load_digits

import glassgrad as gg
from glassgrad import nn, optim
from glassgrad.nn import functional as F

gg.manual_seed(0)

pixels = gg.tensor(load_digits().images / 16.0).float().unsqueeze(1)
pixels = pixels[gg.randperm(len(pixels))]
train, test = pixels[:640], pixels[640:840]


class Encoder(nn.Module):
    def __init__(self, code):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 12, 3, stride=2, padding=1)
        self.conv2 = nn.Conv2d(12, 24, 3, stride=2, padding=1)
        self.mu = nn.Linear(96, code)
        self.logvar = nn.Linear(96, code)

    def forward(self, x):
        h = F.leaky_relu(self.conv1(x), 0.2)
        h = F.leaky_relu(self.conv2(h), 0.2).flatten(1)
        return self.mu(h), self.logvar(h)


class VAE(nn.Module):
    def __init__(self, code=8):
        super().__init__()
        self.encoder = Encoder(code)
        self.decoder = nn.Sequential(
            nn.Linear(code, 96),
            nn.LeakyReLU(0.2),
            nn.Unflatten(1, (24, 2, 2)),
            nn.ConvTranspose2d(24, 12, 4, stride=2, padding=1),
            nn.LeakyReLU(0.2),
            nn.ConvTranspose2d(12, 1, 4, stride=2, padding=1),
        )

    def forward(self, x):
        mu, logvar = self.encoder(x)
        z = mu + gg.randn_like(mu) * gg.exp(0.5 * logvar)
        return self.decoder(z), mu, logvar


def vae_loss(recon, x, mu, logvar, beta=0.002):
    rec = F.mse_loss(gg.sigmoid(recon), x)
    kl = -0.5 * (1 + logvar - mu**2 - gg.exp(logvar)).sum(1).mean()
    return 10 * rec + beta * kl, rec


vae = VAE()
optimizer = optim.Adam(
    [{"params": vae.encoder.parameters(), "lr": 4e-3}, {"params": vae.decoder.parameters(), "lr": 6e-3}],
    lr=5e-3,
)

for epoch in range(10):
    for batch in train[gg.randperm(len(train))].split(32):
        recon, mu, logvar = vae(batch)
        loss, rec = vae_loss(recon, batch, mu, logvar)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print(f"epoch {epoch}: loss {loss.item():.3f}, squared error {rec.item():.4f}")

vae.eval()
with gg.no_grad():
    recon, mu, logvar = vae(test)
    print("held out:", vae_loss(recon, test, mu, logvar)[0].item())
