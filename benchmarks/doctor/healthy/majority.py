"""Which token occurs most often? Encoder layers with dropout over learned positions, an average at the end."""

import glassgrad as gg
from glassgrad import nn, optim

gg.manual_seed(0)


def majority(count, length=11, kinds=4):
    tokens = gg.randint(0, kinds, (count, length))
    counts = nn.functional.one_hot(tokens, kinds).sum(1)
    return tokens, counts.argmax(1)


class Voter(nn.Module):
    def __init__(self, kinds=4, width=24, length=11):
        super().__init__()
        self.embedding = nn.Embedding(kinds, width)
        self.position = nn.Parameter(gg.zeros(1, length, width))
        layer = nn.TransformerEncoderLayer(width, 2, dim_feedforward=48, dropout=0.1, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2)
        self.head = nn.Linear(width, kinds)

    def forward(self, tokens):
        h = self.encoder(self.embedding(tokens) + self.position)
        return self.head(h.mean(1))


tokens, labels = majority(800)
test_tokens, test_labels = majority(200)

model = Voter()
criterion = nn.CrossEntropyLoss()
optimizer = optim.Adam(model.parameters(), lr=3e-3)

for step in range(100):
    model.train()
    begin = (step * 40) % 800
    optimizer.zero_grad()
    logits = model(tokens[begin : begin + 40])
    loss = criterion(logits, labels[begin : begin + 40])
    loss.backward()
    optimizer.step()

model.eval()
with gg.no_grad():
    said = model(test_tokens)
    print("held out:", nn.functional.cross_entropy(said, test_labels).item())
