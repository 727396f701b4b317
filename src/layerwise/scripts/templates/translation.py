"""Train a network to translate."""

import sacrebleu
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from layerwise.scripts.pieces.batches import trim
from layerwise.scripts.pieces.text import text_of
from layerwise.scripts.pieces.training import Figures, train

MARKS = 5
START, END, PADDING = 1, 2, 0
LABEL_SMOOTHING = 0.1

data = {  # [data]
    **{f"{part}_{name}": torch.randint(1, 4, (12, 5)) for part in ("train", "valid", "test") for name in ("x", "y")},
    "token_bytes": torch.tensor([0, 0, 0, 1]),
    "vocabulary": torch.tensor([97], dtype=torch.uint8),
}


class Network(nn.Embedding):  # [stand_in]
    """Foretells by the token before, whatever the source is."""

    def forward(self, source: Tensor, previous: Tensor) -> Tensor:  # type: ignore[override]
        return super().forward(previous)


def score_tokens(model: nn.Module, sources: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Return the scores of the token at each place, given the true ones before it, and the true tokens."""
    starts = torch.full_like(targets[:, :1], START)
    scores = model(sources, torch.cat((starts, targets[:, :-1]), dim=1))  # (batch, time, tokens)
    return scores.flatten(0, 1), targets.flatten()


def loss_of(model: nn.Module, sources: Tensor, targets: Tensor) -> Tensor:
    """Return the mean cross-entropy of a token."""
    scores, tokens = score_tokens(model, sources, targets)
    return F.cross_entropy(scores, tokens, ignore_index=PADDING)  # [not smoothing]
    return F.cross_entropy(scores, tokens, ignore_index=PADDING, label_smoothing=LABEL_SMOOTHING)  # [smoothing]


@torch.no_grad()
def evaluate(model: nn.Module, sources: Tensor, targets: Tensor) -> Figures:
    """Measure the cross-entropy of a token and the accuracy, given the true tokens before each."""
    model.eval()
    nats = right = count = 0.0
    for some, truth in zip(sources.split(64), targets.split(64), strict=True):
        scores, tokens = score_tokens(model, trim(some), trim(truth))
        nats += F.cross_entropy(scores, tokens, ignore_index=PADDING, reduction="sum").item()
        right += ((scores.argmax(1) == tokens) & (tokens != PADDING)).sum().item()
        count += (tokens != PADDING).sum().item()
    return (-nats / count,), f"loss {nats / count:.4f}, accuracy {right / count:.4f}"


@torch.no_grad()
def translate(model: nn.Module, sources: Tensor) -> list[str]:
    """Translate by the likeliest token at each step (greedy decoding)."""
    model.eval()
    texts = []
    for some in sources.split(64):
        tokens = torch.full_like(some[:, :1], START)
        for _ in range(3 * (1 + int((some != PADDING).sum(1).max()))):  # at most three times the longest source
            is_over = (tokens == END).any(1)
            chosen = model(some, tokens)[:, -1].argmax(1)
            tokens = torch.cat((tokens, torch.where(is_over, END, chosen)[:, None]), dim=1)
            if (tokens == END).any(1).all():
                break
        texts += [text_of(row, data).strip() for row in tokens]
    return texts


model: nn.Module = Network(4, 4)  # [network]
model = train(model, data, loss_of, evaluate)
_, figures = evaluate(model, data["test_x"], data["test_y"])
translations = translate(model, data["test_x"])
references = [text_of(row, data).strip() for row in data["test_y"]]
for source, translated in list(zip(data["test_x"], translations, strict=True))[:5]:
    print(f"{text_of(source, data).strip()} -> {translated}")
bleu = sacrebleu.corpus_bleu(translations, [references]).score
print(f"test: BLEU {bleu:.4f}, {figures} on {len(references)} texts")
