"""Loaves sold in a day by shop, weekday and weather: embeddings beside numbers, a Poisson loss, stopped early."""

import copy

import glassgrad as gg
from glassgrad import nn
from glassgrad.utils.data import DataLoader, TensorDataset

SHOPS, DAYS = 8, 7


def draw_sales(count):
    shop = gg.randint(0, SHOPS, (count,))
    day = gg.randint(0, DAYS, (count,))
    weather = gg.randn(count, 3)
    level = 1.2 * gg.sin(1.7 * shop.float()) + 0.6 * gg.cos(2.0 * day.float()) + 1.5
    log_rate = level + 0.6 * gg.tanh(weather[:, 0] - weather[:, 1]) - 0.4 * gg.relu(weather[:, 2])
    sold = (gg.rand(count, 80) < (gg.exp(log_rate) / 80).unsqueeze(1)).float().sum(1)
    return shop, day, weather, sold, log_rate


class SalesNet(nn.Module):
    def __init__(self, hidden=32, p_drop=0.05):
        super().__init__()
        self.shop_emb = nn.Embedding(SHOPS, 6)
        self.day_emb = nn.Embedding(DAYS, 4)
        self.fc1 = nn.Linear(6 + 4 + 3, hidden)
        self.bn1 = nn.BatchNorm1d(hidden)
        self.fc2 = nn.Linear(hidden, hidden)
        self.act = nn.ReLU()
        self.drop = nn.Dropout(p_drop)
        self.out = nn.Linear(hidden, 1)

    def forward(self, shop, day, weather):
        x = gg.cat([self.shop_emb(shop), self.day_emb(day), weather], dim=1)
        x = self.act(self.bn1(self.fc1(x)))
        x = self.drop(self.act(self.fc2(x)))
        return self.out(x).squeeze(-1)


def train_one_epoch(model, loader, criterion, optimizer):
    model.train()
    total = 0.0
    for shop, day, weather, sold, _ in loader:
        pred = model(shop, day, weather)
        loss = criterion(pred, sold)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item()
    return total / len(loader)


def validate(model, data):
    model.eval()
    shop, day, weather, _, log_rate = data
    with gg.no_grad():
        return nn.functional.mse_loss(model(shop, day, weather), log_rate).item()


def main():
    gg.manual_seed(0)
    train_data = draw_sales(1000)
    val_data = draw_sales(200)
    test_data = draw_sales(400)
    loader = DataLoader(TensorDataset(*train_data), batch_size=50, shuffle=True)
    model = SalesNet()
    criterion = nn.PoissonNLLLoss(log_input=True, full=True)
    optimizer = gg.optim.Adam(model.parameters(), lr=6e-3)
    best, best_state, bad_epochs, patience = float("inf"), None, 0, 5
    for epoch in range(14):
        train_loss = train_one_epoch(model, loader, criterion, optimizer)
        val_loss = validate(model, val_data)
        print(f"epoch {epoch}: train {train_loss:.3f}, validation {val_loss:.3f}")
        if val_loss < best:
            best, best_state, bad_epochs = val_loss, copy.deepcopy(model.state_dict()), 0
        else:
            bad_epochs += 1
            if bad_epochs > patience:
                break
    if best_state is not None:
        model.load_state_dict(best_state)
    print("held out:", validate(model, test_data))


if __name__ == "__main__":
    main()
