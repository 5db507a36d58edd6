"""The next note of a melody that climbs and falls by a motif: a GRU over notes, Adam, clipped norms, validation."""

import glassgrad as gg
from glassgrad import nn, optim
from glassgrad.utils.data import DataLoader, TensorDataset

NOTES = 12
MOTIFS = [[1, 2, -1], [3, -2, 3], [-1, -1, 4], [5, -3, -3]]


def compose(count, length=15):
    steps = gg.tensor(MOTIFS)[gg.randint(0, len(MOTIFS), (count,))]
    steps = gg.cat([steps] * (length // 3), dim=1)
    start = gg.randint(0, NOTES, (count, 1))
    notes = (start + gg.cat([gg.zeros(count, 1).long(), steps.cumsum(1)], dim=1)) % NOTES
    return notes[:, :-1], notes[:, 1:]


class Composer(nn.Module):
    def __init__(self, embed_dim, hidden_dim, dropout):
        super().__init__()
        self.embed = nn.Embedding(NOTES, embed_dim)
        self.gru = nn.GRU(embed_dim, hidden_dim, batch_first=True)
        self.drop = nn.Dropout(dropout)
        self.proj = nn.Linear(hidden_dim, NOTES)

    def forward(self, notes):
        h, _ = self.gru(self.embed(notes))
        return self.proj(self.drop(h))


def sequence_loss(logits, targets):
    return nn.functional.cross_entropy(logits.reshape(-1, NOTES), targets.reshape(-1))


def fit(model, loader, optimizer, max_norm=1.0):
    model.train()
    losses = []
    for notes, targets in loader:
        logits = model(notes)
        loss = sequence_loss(logits, targets)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), max_norm)
        optimizer.step()
        losses.append(loss.item())
    return sum(losses) / len(losses)


@gg.no_grad()
def validate(model, notes, targets):
    model.eval()
    return sequence_loss(model(notes), targets).item()


def main():
    gg.manual_seed(0)
    loader = DataLoader(TensorDataset(*compose(512)), batch_size=32, shuffle=True)
    held_out = compose(200)
    model = Composer(embed_dim=24, hidden_dim=40, dropout=0.1)
    optimizer = optim.Adam(model.parameters(), lr=0.01)
    for epoch in range(8):
        train_loss = fit(model, loader, optimizer)
        print(f"epoch {epoch} | train {train_loss:.3f} | valid {validate(model, *held_out):.3f}")
    print("held out:", validate(model, *held_out))


main()
