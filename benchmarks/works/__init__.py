"""The training steps that are timed, by name, smallest first."""

from works import attention, cnn, deep, gpt, lstm, mlp, mlp_adam, rows, xor
from works.work import Work

WORKS: dict[str, Work] = {
    "xor": xor.WORK,
    "mlp": mlp.WORK,
    "mlp-adam": mlp_adam.WORK,
    "deep": deep.WORK,
    "cnn": cnn.WORK,
    "gpt": gpt.WORK,
    "lstm": lstm.WORK,
    "rows": rows.WORK,
    "attention": attention.WORK,
}
