"""The words of the simulated shop: each category has its own, so that titles say what an item is."""

from typing import Final, NamedTuple


class Category(NamedTuple):
    """What items of one category are called and cost.

    Attributes:
        name: as it stands in `categories`.
        goods: what the items are.
        styles: collections; items of one style go together.
        details: endings of titles.
        brands: whose items they are.
        price: median price.
    """

    name: str
    goods: tuple[str, ...]
    styles: tuple[str, ...]
    details: tuple[str, ...]
    brands: tuple[str, ...]
    price: float


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.replace("_", " ") for word in text.split())


def _category(*texts: str, price: float) -> Category:
    name, *words = texts
    goods, styles, details, brands = (_words(text) for text in words)
    return Category(name, goods, styles, details, brands, price)


CATEGORIES: Final = (
    _category(
        "kitchen",
        "saucepan teapot mixing_bowl chopping_board chef_knife whisk ladle casserole",
        "farmhouse copper enamel minimalist",
        "dishwasher_safe for_two oven_proof non-stick",
        "Hearthline Bramble Cucina",
        price=28.0,
    ),
    _category(
        "garden",
        "watering_can trowel planter secateurs hose_reel bird_feeder garden_fork seed_tray",
        "cottage terracotta galvanised wildflower",
        "frost_proof with_stand weatherproof hand-forged",
        "Greenacre Thistle Oakmoor",
        price=24.0,
    ),
    _category(
        "outdoor",
        "tent sleeping_bag headlamp trekking_poles rucksack camping_stove hammock dry_bag",
        "alpine ultralight expedition weekend",
        "three-season ripstop foldable waterproof",
        "Northcairn Ridgeway Tarn",
        price=75.0,
    ),
    _category(
        "books",
        "novel cookbook atlas biography anthology field_guide picture_book thriller",
        "classic illustrated pocket signed",
        "hardback paperback second_edition boxed_set",
        "Lantern_Press Quillfeather Marginalia",
        price=14.0,
    ),
    _category(
        "toys",
        "puzzle train_set doll building_blocks kite board_game marble_run plush_bear",
        "woodland dinosaur space circus",
        "ages_3_up for_four_players battery_free hand-painted",
        "Tumbletop Piccolo Kindling",
        price=19.0,
    ),
    _category(
        "beauty",
        "face_cream shampoo lip_balm hand_soap serum bath_salts perfume body_lotion",
        "lavender citrus rosewater charcoal",
        "travel_size fragrance_free refillable gift_box",
        "Velour Saltmarsh Petalle",
        price=17.0,
    ),
    _category(
        "electronics",
        "headphones keyboard webcam speaker charger smart_lamp router microphone",
        "studio gaming compact retro",
        "wireless usb-c noise_cancelling 4k",
        "Voltwerk Anode Lumicor",
        price=62.0,
    ),
    _category(
        "fashion",
        "scarf linen_shirt wool_socks denim_jacket belt tote_bag raincoat cardigan",
        "tweed nautical vintage tailored",
        "organic_cotton unisex slim_fit hand-knitted",
        "Harrow_&_Vale Selvedge Moorfield",
        price=38.0,
    ),
    _category(
        "pets",
        "dog_lead cat_tree chew_toy pet_bed fish_tank feeding_bowl grooming_brush rabbit_hutch",
        "reflective sisal fleece bamboo",
        "for_puppies for_small_breeds machine_washable chew-proof",
        "Pawsworth Whiskerby Burrow",
        price=21.0,
    ),
    _category(
        "pantry",
        "olive_oil ground_coffee green_tea honey oat_biscuits pasta chilli_sauce dark_chocolate",
        "single-origin smoked organic artisan",
        "500_g family_pack tin gift_jar",
        "Millstone Orchard_Row Saffrane",
        price=9.0,
    ),
)

QUERY_ENDINGS: Final = ("", "", "gift", "sale", "best", "cheap")
PRAISE: Final = (
    "Love it",
    "Exactly as described",
    "Great quality",
    "Would buy again",
    "Better than expected",
)
BLAME: Final = ("Broke after a week", "Not as pictured", "Poor quality", "Sending it back", "Disappointing")
