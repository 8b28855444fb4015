"""What each process of the test on several processes runs: fit, and leave the weights behind, one file a rank."""

import sys
from pathlib import Path

import torch
from next_item_cases import fit_shop, small_shop
from practice_cases import run_fit

from trainer.training_loop.processes import joined


def main(folder: Path) -> None:
    torch.set_num_threads(1)
    with joined(torch.device("cpu")) as here:
        (folder / str(here.rank)).mkdir()
        weights = {"network": run_fit().weights, "next item": fit_shop(small_shop(folder / str(here.rank)))}
        torch.save(weights, folder / f"{here.rank}.pt")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
