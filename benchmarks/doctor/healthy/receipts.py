"""What a receipt comes to: encoder layers over padded items and amounts, groups of parameters, averaged weights."""

import copy

import glassgrad as gg
from glassgrad import nn, optim

ITEMS, LONGEST, PAD = 15, 6, 0


class Settings:
    d_model = 32
    nhead = 4
    num_layers = 2
    dropout = 0.05
    lr = 3e-3
    weight_decay = 0.01
    warmup = 20
    batch_size = 40
    epochs = 10
    ema = 0.95


def make_receipts(count, prices):
    items = gg.randint(1, ITEMS + 1, (count, LONGEST))
    lengths = gg.randint(2, LONGEST + 1, (count, 1))
    items = gg.where(gg.arange(LONGEST) < lengths, items, gg.zeros(count, LONGEST).long())
    amounts = gg.rand(count, LONGEST) * (items != PAD).float()
    total = (prices[items] * amounts).sum(1)
    return items, amounts, total


class ReceiptNet(nn.Module):
    def __init__(self, cfg):
        super().__init__()
        self.item_emb = nn.Embedding(ITEMS + 1, cfg.d_model, padding_idx=PAD)
        self.amount = nn.Linear(1, cfg.d_model)
        layer = nn.TransformerEncoderLayer(
            cfg.d_model, cfg.nhead, dim_feedforward=64, dropout=cfg.dropout, batch_first=True, norm_first=True
        )
        self.encoder = nn.TransformerEncoder(layer, cfg.num_layers, enable_nested_tensor=False)
        self.norm = nn.LayerNorm(cfg.d_model)
        self.regressor = nn.Sequential(nn.Linear(cfg.d_model, 32), nn.ReLU(), nn.Linear(32, 1))

    def forward(self, items, amounts):
        mask = items == PAD
        h = self.item_emb(items) * (1 + self.amount(amounts.unsqueeze(2)))
        h = self.encoder(h, src_key_padding_mask=mask)
        kept = (~mask).float().unsqueeze(2)
        pooled = (self.norm(h) * kept).sum(1) / 3
        return self.regressor(pooled).squeeze(1)


def configure_optimizer(model, cfg):
    decay = [p for p in model.parameters() if p.ndim >= 2]
    no_decay = [p for p in model.parameters() if p.ndim < 2]
    groups = [{"params": decay, "weight_decay": cfg.weight_decay}, {"params": no_decay, "weight_decay": 0.0}]
    optimizer = optim.AdamW(groups, lr=cfg.lr)
    scheduler = optim.lr_scheduler.LambdaLR(optimizer, lambda step: min(1.0, (step + 1) / cfg.warmup))
    return optimizer, scheduler


def update_average(average, model, decay):
    with gg.no_grad():
        for old, new in zip(average.parameters(), model.parameters(), strict=True):
            old.mul_(decay).add_((1 - decay) * new.detach())


def main(cfg):
    gg.manual_seed(0)
    prices = gg.cat([gg.zeros(1), gg.rand(ITEMS) * 3 - 1])
    items, amounts, total = make_receipts(1000, prices)
    test_items, test_amounts, test_total = make_receipts(300, prices)
    model = ReceiptNet(cfg)
    average = copy.deepcopy(model)
    criterion = nn.SmoothL1Loss()
    optimizer, scheduler = configure_optimizer(model, cfg)
    for epoch in range(cfg.epochs):
        model.train()
        for rows in gg.randperm(1000).reshape(-1, cfg.batch_size):
            pred = model(items[rows], amounts[rows])
            loss = criterion(pred, total[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            scheduler.step()
            update_average(average, model, cfg.ema)
    average.eval()
    with gg.no_grad():
        pred = average(test_items, test_amounts)
        print("held out:", nn.functional.mse_loss(pred, test_total).item())


main(Settings)
