"""Lists of simulated shoppers as a merchandiser reads them, with their reasons.

    python -m benchmarks.example_lists --stream shop.jsonl.gz --model FOLDER [--shoppers 10] [--lists 4] [--out FILE]

FOLDER is what `headrace train` wrote, given a part of the stream or all of it: the lists are of its last tenth, which
is not learnt from. Settings are the worker's (`HEADRACE_REASONS`, `HEADRACE_EXCLUDE`, …).
"""

import argparse
from pathlib import Path

from headrace.files.atomic import write_atomic
from headrace.settings.model import settings
from trainer.evaluation.lists.examples import example_lists, markdown

_HEAD = """# Forty lists

`{command}`

A stream of a shop, such as `headrace simulate --seed 2` makes, and a model that `headrace train` made of it: the last
{lists} lists of the {shoppers} shoppers who were owed most in the last tenth of the stream, which the model has not
learnt from. The first five of twenty entries, with the click probability at that place and all reasons, as they go out.
"""


def main() -> None:
    """Answer, print or write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stream", type=Path, required=True)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--shoppers", type=int, default=10)
    parser.add_argument("--lists", type=int, default=4)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    found, titles = example_lists(
        options.stream, options.model, options.shoppers, options.lists, settings(), lambda *_: None
    )
    command = f"python -m benchmarks.example_lists --stream {options.stream.name} --model {options.model.name}"
    head = _HEAD.format(command=command, lists=options.lists, shoppers=options.shoppers)
    page = "\n".join([head, *markdown(found, titles)])
    if options.out is None:
        print(page)
    else:
        write_atomic(options.out, page)


if __name__ == "__main__":
    main()
