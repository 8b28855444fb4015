"""`headrace init`: a tiny export of a shop and the map that it is imported by, to be replaced by one's own."""

from pathlib import Path
from typing import Final

from headrace.errors import UsageError

EXPORT: Final = "shop.csv"
MAP: Final = "shop.toml"

_EXPORT: Final = """\
time,customer,order,action,sku,name,group,pieces,unit price,device
2025-11-02 09:14:07,c-1001,,product view,mug-blue,Blue enamel mug,Kitchen|Mugs,,9.50,phone
2025-11-02 09:15:40,c-1001,,product view,mug-red,Red enamel mug,Kitchen|Mugs,,9.50,phone
2025-11-02 09:16:02,c-1001,,cart,mug-blue,Blue enamel mug,Kitchen|Mugs,1,9.50,phone
2025-11-02 09:20:11,c-1001,7001,order,mug-blue,Blue enamel mug,Kitchen|Mugs,2,9.50,phone
2025-11-02 09:20:11,c-1001,7001,order,tray-oak,Oak tray,Kitchen,1,24.00,phone
2025-11-02 11:02:55,,7002,order,kettle-1,Stove kettle,Kitchen,1,39.00,desktop
2025-11-03 16:41:30,c-1002,,newsletter,,,,,,desktop
2025-11-04 10:00:00,c-1001,7001,order,tray-oak,Oak tray,Kitchen,-1,24.00,desktop
"""

_MAP: Final = """\
# How an export of your shop is read: headrace import csv shop.csv --map shop.toml --out shop.jsonl

# Field of an event = column of the file. Needed: timestamp, type, and user_id or guest.
# There are event_id, type, user_id, timestamp, item_id, items, request_id, session_id, channel, quantity, price, query,
# rating, text, user_ids; of the item: title, description, brand, categories.
[columns]
timestamp = "time"
user_id = "customer"
guest = "order"          # who is meant where user_id is empty: the shopper guest:7002
type = "action"
item_id = "sku"
session_id = "order"
title = "name"
categories = "group"
quantity = "pieces"      # a purchase of -1 is a return
price = "unit price"     # of one piece; where there is only the price of all of them: total = "column"

# What is the same in every row. An export of orders alone has type = "purchase" here, and no column for it.
[constants]
channel = "web"

# Their words for types of events; those that are ours need no line. skip: a row that is no event of ours.
# impression, view, click, add_to_cart, remove_from_cart, purchase, return, search, review, identify
[types]
"product view" = "view"
"cart" = "add_to_cart"
"order" = "purchase"
"newsletter" = "skip"

# Context of click probabilities: its name = column.
[context]
device = "device"

# auto: ISO such as 2025-11-02 09:14:07, or seconds or ms since 1970. Also iso, s, ms, or a pattern: %d.%m.%Y %H:%M
[time]
format = "auto"
timezone = "Europe/Berlin"   # of times that name no offset

[file]
# delimiter = ";"     # found in the first line where it is not named
encoding = "utf-8"    # or cp1252, utf-16, …
decimal = "."         # or ","
separator = "|"       # between several categories, and between several items that were shown, or user_ids
"""


def write_example(folder: Path) -> tuple[Path, Path]:
    """Write both files into a folder, made where there is none; the export and the map.

    Raises:
        UsageError: one of them is there already, which stays as it is, or the folder cannot be written to.
    """
    export, columns = folder / EXPORT, folder / MAP
    if there := [str(path) for path in (export, columns) if path.exists() or path.is_symlink()]:
        raise UsageError(f"{' and '.join(there)} is there already and stays: name another folder")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path, text in ((export, _EXPORT), (columns, _MAP)):
            with path.open("x", encoding="utf-8") as file:
                file.write(text)
    except OSError as error:
        raise UsageError(f"cannot write {error.filename or folder}: {error.strerror or error}") from error
    return export, columns
